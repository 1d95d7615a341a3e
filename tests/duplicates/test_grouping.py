"""Groups of a graph against explicit loops, and the choice of the picture to keep."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skhash.duplicates import Picture
from skhash.duplicates._grouping import complete_groups, connected_groups, explain_choice, rank_pictures

graphs = st.integers(1, 9).flatmap(
    lambda n: st.tuples(
        st.permutations(range(n)),
        st.dictionaries(
            st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda e: e[0] < e[1]), st.integers(0, 2)
        ),
    )
)


def as_arrays(ranks, edges):
    first, second = (np.array([edge[end] for edge in edges], np.int64) for end in (0, 1))
    return np.array(ranks), first, second, np.array(list(edges.values()), np.int64)


def as_sets(groups):
    return {frozenset(np.flatnonzero(groups == number).tolist()) for number in set(groups.tolist())}


def components(n, edges):
    sets = [{node} for node in range(n)]
    for a, b in edges:
        both = next(s for s in sets if a in s) | next(s for s in sets if b in s)
        sets = [s for s in sets if not s & both] + [both]
    return {frozenset(s) for s in sets}


def cliques(ranks, edges):
    """Follow the definition: the best free node begins, its neighbors join by (distance, rank)."""
    n, length = len(ranks), {}
    for (a, b), distance in edges.items():
        length[a, b] = length[b, a] = distance
    free, found = set(range(n)), set()
    while free:
        head = min(free, key=lambda node: ranks[node])
        group = [head]
        free.discard(head)
        neighbors = [node for node in free if (head, node) in length]
        for node in sorted(neighbors, key=lambda node: (length[head, node], ranks[node])):
            if all((node, member) in length for member in group):
                group.append(node)
                free.discard(node)
        found.add(frozenset(group))
    return found


@given(graphs)
def test_connected_groups_are_the_components(graph):
    ranks, first, second, _ = as_arrays(*graph)
    assert as_sets(connected_groups(len(ranks), first, second)) == components(len(ranks), graph[1])


@given(graphs)
def test_complete_groups_follow_their_definition(graph):
    arrays = as_arrays(*graph)
    found = as_sets(complete_groups(*arrays))
    assert found == cliques(*graph)
    connected = {frozenset(edge) for edge in graph[1]}
    for group in found:  # whatever the definition, every two are connected
        assert all(frozenset((a, b)) in connected for a in group for b in group if a != b)


def test_pixels_then_bytes_then_age_then_order():
    pictures = [
        Picture("small", 10, 10, 900, 1.0),
        Picture("young", 20, 10, 500, 9.0),
        Picture("old", 10, 20, 500, 2.0),
        Picture("heavy", 20, 10, 600, 9.0),
        Picture("twin", 10, 20, 500, 2.0),
        Picture(7, 20, 10),
    ]
    ranks = rank_pictures(pictures)
    assert [pictures[row].name for row in np.argsort(ranks)] == ["heavy", "old", "twin", "young", 7, "small"]
    small, young, old, heavy, twin, _ = pictures
    assert explain_choice(heavy, small) == "most pixels"
    assert explain_choice(heavy, old) == "largest file"
    assert explain_choice(old, young) == "oldest file"
    assert explain_choice(old, twin) == "first in order"
