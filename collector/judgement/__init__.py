"""judgement: the pure core: what is known of a device goes in, an explained assessment comes out.

No module here reads a clock, a file, a database or the network, and none draws a random number: the same view and
context give the same assessment for ever, which is what makes `replay` honest. Imports point down this list:
alerting, assess · places · findings · engine, risk · facts, rule · given, address · policy · view.
"""
