"""The languages of visitors' pages. A leaf package: texts are where they are used, translations in `locale`."""
