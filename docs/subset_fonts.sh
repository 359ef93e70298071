#!/bin/sh
# Makes the fonts in static/vendor/ from the published packages. Needs npm and Python. The bytes are the same each
# time, and vendor.json has their hashes. The fonts have only letters that European languages with Latin script
# need: the first file of each has those of western Europe, the one with "ext" is fetched only by pages that need
# more. Their licence reserves names, so the subsets carry none.
set -eu
to=$(cd "$(dirname "$0")/../static/vendor" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet fonttools==4.68.0 brotli==1.2.1
npm pack --silent @fontsource-variable/inter@5.3.0 @fontsource-variable/source-serif-4@5.3.1 > packed
for package in *.tgz; do tar -xzf "$package" --one-top-level; done

LATIN=U+20-7E,U+A0-FF,U+131,U+152-153,U+2C6,U+2DA,U+2DC,U+2010-2015,U+2018-201E,U+2020-2022,U+2026,U+202F,U+2030
LATIN=$LATIN,U+2032-2033,U+2039-203A,U+20AC,U+2122,U+2190-2193,U+2212
EXTENDED=U+100-17F,U+18F,U+218-21B,U+1E9E

# subset TO FROM AXES CHARACTERS FEATURES
subset() {
  venv/bin/fonttools varLib.instancer --quiet --no-recalc-timestamp "$2" "$3" --output whole.ttf
  venv/bin/pyftsubset whole.ttf --unicodes="$4" --layout-features="$5" --no-hinting --flavor=woff2 \
    --name-IDs=0,1,2,3,4,5,6,13,14 --obfuscate-names --output-file="$to/$1"
}

sans=fontsource-variable-inter-5.3.0/package/files/inter
serif=fontsource-variable-source-serif-4-5.3.1/package/files/source-serif-4
subset inter.woff2 $sans-latin-wght-normal.woff2 wght=400:700 "$LATIN" kern,calt,tnum,mark,mkmk,ccmp,locl,case
subset inter-ext.woff2 $sans-latin-ext-wght-normal.woff2 wght=400:700 "$EXTENDED" kern,ccmp,locl,mark
subset source-serif.woff2 $serif-latin-wght-normal.woff2 wght=600 "$LATIN" kern,liga,ccmp,locl,mark,lnum
subset source-serif-ext.woff2 $serif-latin-ext-wght-normal.woff2 wght=600 "$EXTENDED" kern,ccmp,locl,mark
