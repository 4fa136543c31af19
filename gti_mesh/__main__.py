"""`python -m gti_mesh`."""

from gti_mesh.main import main

main()
