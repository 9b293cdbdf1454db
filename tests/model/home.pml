/*
 * The home of the model: what it is bounded by, what lies where, who is at which step, what was promised,
 * and the rules by which places change.
 */

/* What is searched: how many workers there are, and how often each rare thing may happen. */
#ifndef WORKERS
#define WORKERS 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef THEFTS
#define THEFTS 1
#endif
#ifndef REVOKES
#define REVOKES 1
#endif
#ifndef EPOCHS
#define EPOCHS 1
#endif
#ifndef ROTATIONS
#define ROTATIONS 1
#endif
#ifndef PATCHES
#define PATCHES 1
#endif

/* Session time goes in ticks; the session is made at 0. */
#define IDLE   2
#define ABS    3
#define MARGIN 1
#define GRACE  1
#ifndef LAST
#define LAST   (ABS + MARGIN) /* the search ends here */
#endif

#define EMPTY     0
#define RECORD    1
#define TOMBSTONE 2

/* A place of the session store. Of a tombstone only the kind counts. */
typedef Place {
    byte kind;
    byte gen;
    byte touch;
    byte secret;    /* the present one: 1, and 2 after the rotation */
    byte previous;  /* the one before, 0: none */
    byte grace_end;
    bit patched;
}

/* --- The home --------------------------------------------------------------------------------- */

byte now;
#ifdef WALK
byte calm; /* requests since the last tick */
#endif
Place mem;      /* `sessions` as every process sees it */
Place disk;     /* what of it a power loss leaves */
Place aside;    /* the store that was set aside after an unclean boot */
bit is_partial; /* the import has not ended: what is absent is unknown */
bit is_judged;  /* the import has judged the record and not put it yet */
/* The registry; synced at each commit. */
bit reg_revoked;
bit reg_epoch; /* later than the session's */
byte reg_least;

/* --- Who acts --------------------------------------------------------------------------------- */

mtype = { IDLER, REVOKE_COMMIT, REVOKE_BURY, REVOKE_RAISE, EPOCH_COMMIT, EPOCH_RAISE,
          ROTATE_SWAP, ROTATE_SYNC, ROTATE_MARK, ROTATE_RAISE, ROTATE_FAIL }
mtype operator = IDLER;
Place turned;    /* what the rotation read */
bit patcher;     /* has read and not swapped yet */
Place patched;   /* what the patch read */
byte revokes, epochs, rotations, patches, crashes, thefts;
Place stolen;    /* the thief's copy */

typedef Worker {
    byte at;     /* 0 idle, 1 begun, 2 has its snapshot, 3 loaded */
    byte secret; /* of the cookie */
    bit is_stale;/* the change counter was raised since this request noted it */
    byte when;   /* when life was judged */
    Place loaded;
    /* The snapshot of the tenant. */
    bit is_known;
    bit known_epoch;
    bit known_marks;
    /* The cached session. */
    bit is_cached;
    byte cached_secret;
    byte cached_gen;
    byte cached_touch;
    /* The queues of writes. */
    byte touch;     /* 0: none */
    byte expire;    /* 0: none */
    byte grace_gen; /* 0: none */
    /* What was acknowledged before the request began. */
    bit dead;
    bit over;
    bit old_dead;
    bit is_shut;
    byte least;
}
Worker w[WORKERS];

/* --- What was promised ------------------------------------------------------------------------ */

bit ack_dead;     /* a revoke or an epoch was acknowledged */
byte ack_least;   /* the generation of the acknowledged rotation */
byte ack_grace;   /* the end of its grace */
bit ack_patched;  /* a patch was acknowledged and nothing has set the store back since */
bit is_grace_shut;/* the end of the grace was committed, and nothing has set the store back since */
bit is_expired;   /* the store has ended the session for its age */
byte last_use;    /* of an accepted request */
bit is_meddled;   /* the thief has put something back */

/* --- Rules ------------------------------------------------------------------------------------ */

#define IDLE_OVER(p, t) ((t) >= p.touch + IDLE)
#define OVER(p, t)      ((t) >= ABS || IDLE_OVER(p, t))
#define GONE(t)         ((t) >= ABS + MARGIN)

/* Copies of places, field by field: the language has no other. */
inline copy(to, from)
{
    to.kind = from.kind; to.gen = from.gen; to.touch = from.touch; to.secret = from.secret;
    to.previous = from.previous; to.grace_end = from.grace_end; to.patched = from.patched
}

inline clear(p)
{
    p.kind = EMPTY; p.gen = 0; p.touch = 0; p.secret = 0; p.previous = 0; p.grace_end = 0; p.patched = 0
}

inline bury()
{
    clear(mem);
    mem.kind = TOMBSTONE
}

/* What lies on the disk matters only while power may be lost. */
inline sync()
{
    if
    :: crashes < CRASHES -> copy(disk, mem)
    :: else
    fi
}

/* No write of ours puts a record where a tombstone lies. */
inline put_record(from)
{
    assert(mem.kind != TOMBSTONE);
    copy(mem, from);
    mem.kind = RECORD
}

/* Swap: the record that was read, changed, if its generation still lies there. */
#ifdef SWAP_REPLACES_TOMBSTONE
#define MAY_SWAP(read) (mem.kind != RECORD || mem.gen == read.gen)
#else
#define MAY_SWAP(read) (mem.kind == RECORD && mem.gen == read.gen)
#endif
/*
 * What a patch or a rotation has read is held against the registry when it is swapped in: else it
 * would give an old record that was put back the generation that its mark asks for.
 */
#ifdef PATCH_IS_UNJUDGED
#define IS_BLAMELESS(read) true
#else
#define IS_BLAMELESS(read) (!reg_revoked && !reg_epoch && read.gen >= reg_least)
#endif
#define ROTATION_IS_BLAMELESS (!reg_revoked && !reg_epoch && turned.gen >= reg_least)
#ifdef PATCH_IS_BLIND
#define MAY_PATCH (mem.kind == RECORD && IS_BLAMELESS(patched))
#else
#define MAY_PATCH (MAY_SWAP(patched) && IS_BLAMELESS(patched))
#endif

/* Nor is a session rotated whose absolute end has come since. */
#ifdef ROTATION_IS_BLIND
#define MAY_ROTATE (mem.kind == RECORD && now < ABS && ROTATION_IS_BLAMELESS)
#else
#define MAY_ROTATE (MAY_SWAP(turned) && now < ABS && ROTATION_IS_BLAMELESS)
#endif

/* Keeps the later of the two last touches. */
inline swap_in(read)
{
    read.gen = read.gen + 1;
    if
    :: mem.kind == RECORD && mem.touch > read.touch -> read.touch = mem.touch
    :: else
    fi;
    put_record(read);
    clear(read);
    assert(!ack_patched || mem.patched) /* no acknowledged patch is lost to another write */
}

inline clear_cache(i)
{
    w[i].is_cached = 0; w[i].cached_secret = 0;
    w[i].cached_gen = 0; w[i].cached_touch = 0
}

/*
 * What a worker remembers counts only under the counter that it noted before it read. No numbers
 * are needed for that: a raise ends what idle workers remember, and what a busy one is reading
 * ends with its request.
 */
inline forget(i)
{
    clear_cache(i);
#ifndef SNAPSHOT_KEPT
    w[i].is_known = 0; w[i].known_epoch = 0; w[i].known_marks = 0
#endif
}

inline clear_request(i)
{
    if
    :: w[i].is_stale -> forget(i)
    :: else
    fi;
    w[i].at = 0; w[i].secret = 0; w[i].is_stale = 0; w[i].when = 0; clear(w[i].loaded);
    w[i].dead = 0; w[i].over = 0; w[i].old_dead = 0; w[i].is_shut = 0; w[i].least = 0
}

inline kill_worker(i)
{
    clear_request(i);
    clear_cache(i);
    w[i].is_known = 0; w[i].known_epoch = 0; w[i].known_marks = 0;
    w[i].touch = 0; w[i].expire = 0; w[i].grace_gen = 0
}
