"""A programmable HTTP receiver: `manage.py receiver`, and what the tests send to.

No model, no setting, no other part of Carillon is needed here.
"""
