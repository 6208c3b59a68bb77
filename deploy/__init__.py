"""How Lianyi is deployed; what can be made from the table of topics is made by ``python -m deploy.generate``."""
