// A certificate that is trusted by nobody and good for nothing but tests: `openssl req -x509 -newkey ec -pkeyopt
// ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost`.

export const TEST_CERTIFICATE = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgYrPISHOe9gPMl7vE
aUuI0tFgJRPelbLU9+TnX4PUS+yhRANCAAQCExdSvi7D3e5jAvuosYsnOraosnUi
2wRYHBQdKbJ6SMHngAKaxVoktceyghdMm9QNdhUUfWQ7KeEQoGvam+L5
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBgDCCASWgAwIBAgIUKwxnTJHCBQAEhMLZ5qVW591cItEwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNzA4MjI0M1oYDzIxMjYxMTAz
MDgyMjQzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQCExdSvi7D3e5jAvuosYsnOraosnUi2wRYHBQdKbJ6SMHngAKaxVok
tceyghdMm9QNdhUUfWQ7KeEQoGvam+L5o1MwUTAdBgNVHQ4EFgQUfSFxEj1RCq+j
woH9lbGuUrv0UiQwHwYDVR0jBBgwFoAUfSFxEj1RCq+jwoH9lbGuUrv0UiQwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAnkjCJUcQG68VAhTHiR0h
GtYHL7rf0qcNGGQkOqOgFHgCIQC7BHzp/YDKB4IXaZ0i3eiUBGtW8zCcSwlotM4/
IdMhCQ==
-----END CERTIFICATE-----
`,
}
