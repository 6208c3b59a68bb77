"""What subscribers are given: the catalogue of topics and events, the AsyncAPI document, the sample consumer."""
