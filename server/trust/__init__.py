"""Who may call, and who can listen in: bearer tokens and TLS, both read anew when their files change."""
