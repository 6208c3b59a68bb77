from shared.entry import main  # isort: split

from services.notes.app import APP

raise SystemExit(main(APP))
