"""simulator: a fleet that does not exist, as the signed reports that its laptops would send."""
