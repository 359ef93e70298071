"""How pages name roles, scopes of keys, and how long keys and invitations last."""

from service.messages import Text

ROLE_NAMES = {
    "reader": Text("Reader"),
    "commenter": Text("Commenter"),
    "editor": Text("Editor"),
    "owner": Text("Owner"),
}
# What a role allows, for whoever chooses one.
ROLE_MEANINGS = {
    "editor": Text("may write and use the model"),
    "commenter": Text("may comment, like and compare"),
    "reader": Text("may read"),
}
SCOPE_NAMES = {
    "admin": Text("Everything"),
    "write": Text("Write"),
    "read": Text("Read"),
}
# What a key lets through, for whoever makes one.
SCOPE_MEANINGS = {
    "admin": Text("all that you may do"),
    "write": Text("not what is only for owners, and no keys"),
    "read": Text("changes nothing, starts no model"),
}
KEY_LIVES = {
    "": Text("never"),
    "7d": Text("7 days"),
    "30d": Text("30 days"),
    "90d": Text("90 days"),
    "365d": Text("1 year"),
}
DAYS = {
    "1": Text("1 day"),
    "7": Text("7 days"),
    "30": Text("30 days"),
    "365": Text("1 year"),
    "": Text("never"),
}
