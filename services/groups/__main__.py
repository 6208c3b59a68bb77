from shared.entry import main  # isort: split

from services.groups.app import APP

raise SystemExit(main(APP))
