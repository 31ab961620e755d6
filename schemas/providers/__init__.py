"""What is known of SIP providers, as data: one YAML file each, read and checked by `profiles`. No logic lives here.

Whoever judges a Trunk (`resources.provider_cautions`) or fills in what it leaves out (the reconciler's model) asks for
a profile by the name that `spec.provider` has. Each fact says where it was read and when, or that nobody has.
"""
