from shared.entry import main  # isort: split

from services.moderation.app import APP

raise SystemExit(main(APP))
