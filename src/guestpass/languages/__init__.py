"""The languages that visitors are spoken to in. A leaf: texts live where they are said, translations in `locale`."""
