# SPDX-License-Identifier: Apache-2.0
"""Other libraries' interfaces on namid's attacks: change the import, keep the code.

    from namid.compat import torchattacks          # torchattacks 3.5.1
    from namid.compat.autoattack import AutoAttack  # fra31/auto-attack
    from namid.compat import foolbox as fb         # foolbox 3.3.4

Names, signatures and return values are those of the other library; what computes is namid, so that
numbers differ where docs/python.md says so. A class whose attack namid does not have raises
NotImplementedError when it is made."""
