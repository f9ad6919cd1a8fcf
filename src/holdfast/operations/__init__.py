"""The use cases: from a frozen request to a frozen report; events go to a listener and nothing is printed."""
