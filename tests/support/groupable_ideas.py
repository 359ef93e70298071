"""Ideas of which two pairs are similar in meaning, and one is like none of the others."""

TEXTS = {
    "Tool shelf": "Neighbours lend drills and ladders from a shelf in the hall.",
    "Tool library": "Drills, saws and ladders belong to all neighbours and are lent from a list.",
    "Walking bus": "Children walk to school in a line with two parents.",
    "On foot to school": "Pupils go to school on foot in a group, parents walk with the children.",
    "Bees on the roof": "A beekeeper looks after four colonies on top of the town hall.",
}
