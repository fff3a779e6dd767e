"""The pages that the program serves: the annotation page and the people's test, on one server behind one gate."""
