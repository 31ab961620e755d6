"""LiveKit's own phone numbers, bought, assigned to rules and released through LiveKit Cloud's PhoneNumberService.

A number is money and cannot be bought back, so what this package promises is about accidents: a number is bought once,
whatever is cut off where; and it is given back only when both its document and the person said so. Such a number has
no field for a mark, so whose it is stands in a `ledger` in the state folder. `messages` are the service's own,
`service` is the wire, `standing` tells what is in the way of each document, `steps` what is to be done, `carrying`
does it.
"""
