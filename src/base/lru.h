/*
 * The order of use of a cache's entries: a list from the one used last to the one used longest
 * ago. The link is the first member of the entry, so that one is the other. For one thread.
 */
#ifndef LH_BASE_LRU_H
#define LH_BASE_LRU_H

#include <stddef.h>

struct lh_lru_link {
    struct lh_lru_link *newer;
    struct lh_lru_link *older;
};

/* An empty list is all zero. */
struct lh_lru {
    struct lh_lru_link *newest;
    struct lh_lru_link *oldest;
};

/* Puts an entry that is in no list in front. */
static inline void lh_lru_add(struct lh_lru *lru, struct lh_lru_link *link)
{
    link->newer = NULL;
    link->older = lru->newest;
    if (lru->newest != NULL) {
        lru->newest->newer = link;
    } else {
        lru->oldest = link;
    }
    lru->newest = link;
}

/* Takes an entry of this list out. */
static inline void lh_lru_remove(struct lh_lru *lru, struct lh_lru_link *link)
{
    if (link->newer != NULL) {
        link->newer->older = link->older;
    } else {
        lru->newest = link->older;
    }
    if (link->older != NULL) {
        link->older->newer = link->newer;
    } else {
        lru->oldest = link->newer;
    }
    link->newer = NULL;
    link->older = NULL;
}

/* Notes a use. */
static inline void lh_lru_touch(struct lh_lru *lru, struct lh_lru_link *link)
{
    if (lru->newest != link) {
        lh_lru_remove(lru, link);
        lh_lru_add(lru, link);
    }
}

#endif
