from services.moderation.app import APP
from shared.app import main

raise SystemExit(main(APP))
