from services.groups.app import APP
from shared.app import main

raise SystemExit(main(APP))
