"""What the integration tests are made of: a real home, a real nginx, an upstream that remembers
what it got, and clients that send exactly the bytes they are told to."""
