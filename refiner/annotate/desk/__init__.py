"""What a person does to a session frame by frame: see, label, lift, check, go on. It knows no page and no server."""
