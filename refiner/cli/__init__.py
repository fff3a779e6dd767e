"""The command `refiner`: one file a verb, one table of verbs."""
