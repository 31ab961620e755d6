"""The dictionary that both houses share: what people declare, what calls are answered from, and the door between."""
