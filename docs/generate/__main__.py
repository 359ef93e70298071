"""`make reference`: write the generated pages and pictures, and remove those that are no more."""

from docs.generate.outputs import ROOT, outputs, strays


def main() -> None:
    written = outputs()
    for path, content in written.items():
        target = ROOT / path
        if target.exists() and target.read_text(encoding="utf-8") == content:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
        print(f"wrote {path}")
    for path in strays(written):
        (ROOT / path).unlink()
        print(f"removed {path}")


if __name__ == "__main__":
    main()
