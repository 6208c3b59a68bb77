from shared.entry import main  # isort: split

from services.recommend.app import APP

raise SystemExit(main(APP))
