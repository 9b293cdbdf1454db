/*
 * One session over the two environments of a home, between everybody who may touch it: an operator
 * who revokes, raises the epoch and rotates the secret, an application that patches, workers with a
 * cache and queues of writes, the sweep, a power loss that takes what `sessions` had not synced,
 * the import that follows, and a thief who can put an older record back.
 *
 * Each option of the one loop is one atomic step of the real thing: a commit, one read transaction,
 * a raise of the change counter. All interleavings of these steps are searched. Everything that is
 * printed begins with "step"; tests/model/replay.c makes the same steps on the real stores.
 *
 * A name that is defined (-D) breaks one rule; test_model.py says which property must notice.
 */

#include "home.pml"
#include "worker.pml"

/* --- Operator, application, power, thief ------------------------------------------------------- */

inline raise_for(i)
{
    if
    :: w[i].at == 0 -> forget(i)
    :: else -> w[i].is_stale = 1
    fi
}

inline raise()
{
    raise_for(0);
#if WORKERS > 1
    raise_for(1)
#endif
}

inline raise_last()
{
#ifndef NO_SECOND_RAISE
    raise();
#endif
    operator = IDLER
}

inline read_for_rotation()
{
    printf("step rotate_read\n");
    rotations++;
    raise();
    copy(turned, mem);
    operator = ROTATE_SWAP
}

inline rotate_swap()
{
    if
    :: MAY_ROTATE ->
        printf("step rotate_swap OK\n");
        turned.previous = turned.secret;
        turned.secret = 2;
        turned.grace_end = now + GRACE;
        ack_grace = now + GRACE;
        swap_in(turned);
#ifdef MARK_BEFORE_SYNC
        operator = ROTATE_MARK
#else
        operator = ROTATE_SYNC
#endif
    :: !(MAY_ROTATE) ->
        printf("step rotate_swap refused\n");
        clear(turned);
        operator = ROTATE_FAIL
    fi
}

byte marked; /* the generation that the rotation in progress has made */

inline patch_swap()
{
    patcher = 0;
    if
    :: MAY_PATCH ->
        printf("step patch_swap OK\n");
        patched.patched = 1;
        swap_in(patched);
        raise();
        ack_patched = 1
    :: !(MAY_PATCH) ->
        printf("step patch_swap refused\n");
        clear(patched);
        raise()
    fi
}

/* Power is lost: processes, queues and what was not synced go; the store is set aside. */
inline crash()
{
    printf("step crash\n");
    crashes++;
    copy(aside, disk);
    clear(mem);
    clear(disk);
    is_partial = 1;
    operator = IDLER;
    marked = 0;
    clear(turned);
    patcher = 0;
    clear(patched);
    ack_patched = 0;
    is_grace_shut = 0;
    kill_worker(0);
#if WORKERS > 1
    kill_worker(1);
#endif
#ifdef CLOCK_FALLS
    now = 0;
    last_use = 0
#endif
}

#define BLAMELESS (!reg_revoked && !reg_epoch && aside.gen >= reg_least)
#define MAY_IMPORT (aside.kind == RECORD && BLAMELESS && !OVER(aside, now))

/* Facts are read, and the record is put later: others may act between. */
inline import_judge()
{
    is_judged = 1;
    /* A rotation costs nobody his session: what it marked lies on the disk. */
    assert(is_meddled || aside.kind != RECORD || aside.gen >= reg_least);
    if
    :: MAY_IMPORT -> printf("step import takes\n")
    :: !MAY_IMPORT -> printf("step import leaves\n"); clear(aside)
    fi
}

inline import_put()
{
    if
    :: aside.kind == RECORD && mem.kind == EMPTY -> printf("step import_put OK\n"); put_record(aside)
    :: aside.kind == RECORD && mem.kind == TOMBSTONE -> printf("step import_put REVOKED\n")
    :: aside.kind != RECORD -> printf("step import_put nothing\n")
    fi;
    clear(aside);
    is_judged = 0;
    is_partial = 0
}

inline tick()
{
#ifdef WALK
    calm = 0;
#endif
    now = now + 1;
    printf("step tick %d\n", now);
    clear_cache(0); /* an entry ends within a tick */
#if WORKERS > 1
    clear_cache(1);
#endif
}

#define LAST_WORKER (WORKERS - 1)
/* A walk by chance lets something happen between two ticks. */
#ifdef WALK
#define IS_CALM (calm < WALK)
#else
#define IS_CALM false
#endif
#define IN_TIME(i) ((w[i].at < 3 || w[i].when == now) && w[i].expire == 0 && w[i].grace_gen == 0)

/* A grace that was shut early opens again with the record that is put back, until its end. */
#define FORGIVE(i) w[i].is_shut = 0

active proctype home()
{
    atomic {
        mem.kind = RECORD; mem.gen = 1; mem.secret = 1; mem.touch = 0;
        sync(); /* a session is synced before its credential is answered */
        printf("step create\n")
    };
end:
    do
    /* A request and an urgent write end within a tick: milliseconds; the margin is ten minutes. */
    :: atomic { now < LAST && !IS_CALM && IN_TIME(0) && IN_TIME(LAST_WORKER) -> tick() }

    WORKER(0)
#if WORKERS > 1
    WORKER(1)
#endif

    /* Revoke: raise, registry, tombstone, raise, answer. */
    :: atomic { operator == IDLER && revokes < REVOKES ->
           revokes++; raise(); operator = REVOKE_COMMIT }
    :: atomic { operator == REVOKE_COMMIT ->
           printf("step revoke_commit\n");
#ifndef NO_REGISTRY
           reg_revoked = 1;
#endif
           operator = REVOKE_BURY }
    :: atomic { operator == REVOKE_BURY -> printf("step revoke_bury\n"); bury(); operator = REVOKE_RAISE }
#ifndef NO_REGISTRY
    /* The store could not be told: the answer is "unknown", and the revocation stands all the same. */
    :: atomic { operator == REVOKE_BURY -> printf("step revoke_unburied\n"); operator = REVOKE_RAISE }
#endif
    :: atomic { operator == REVOKE_RAISE -> raise_last(); ack_dead = 1 }

    :: atomic { operator == IDLER && epochs < EPOCHS -> epochs++; raise(); operator = EPOCH_COMMIT }
    :: atomic { operator == EPOCH_COMMIT ->
           printf("step epoch_commit\n"); reg_epoch = 1; operator = EPOCH_RAISE }
    :: atomic { operator == EPOCH_RAISE -> raise_last(); ack_dead = 1 }

    /* Rotate: raise, swap, sync, the mark in the registry, raise, answer. */
    :: atomic { operator == IDLER && rotations < ROTATIONS && mem.kind == RECORD && !OVER(mem, now) ->
           read_for_rotation() }
    :: atomic { operator == ROTATE_SWAP -> marked = turned.gen + 1; rotate_swap() }
    :: atomic { operator == ROTATE_SYNC -> printf("step flush\n"); sync(); operator = ROTATE_MARK }
    :: atomic { operator == ROTATE_MARK ->
           printf("step mark %d\n", marked);
#ifndef NO_MARK
           reg_least = marked;
#endif
           operator = ROTATE_RAISE }
    :: atomic { operator == ROTATE_RAISE -> raise_last(); ack_least = marked; marked = 0 }
    :: atomic { operator == ROTATE_FAIL -> raise_last(); marked = 0 }

    /* A patch: raise, read, swap, raise, answer. */
    :: atomic { !patcher && patches < PATCHES && mem.kind == RECORD && !OVER(mem, now) ->
           printf("step patch_read\n"); patches++; raise(); copy(patched, mem); patcher = 1 }
    :: atomic { patcher -> patch_swap() }

    /* The periodic jobs. */
    :: atomic { crashes < CRASHES && (mem.kind != disk.kind || mem.gen != disk.gen || mem.touch != disk.touch) ->
           printf("step flush\n"); sync() }
    :: atomic { mem.kind == RECORD && OVER(mem, now) ->
           printf("step sweep\n"); clear(mem); is_expired = 1 }
    :: atomic { mem.kind == TOMBSTONE && GONE(now) -> printf("step sweep\n"); clear(mem) }
    :: atomic { (reg_revoked || reg_least > 0) && GONE(now) ->
           printf("step forget\n"); reg_revoked = 0; reg_least = 0 }

    :: atomic { crashes < CRASHES && !is_partial -> crash() }
    :: atomic { is_partial && !is_judged -> import_judge() }
    :: atomic { is_partial && is_judged -> import_put() }

    /*
     * The thief copies what lies there, and puts it back once. What he puts back before the mark of
     * a rotation lies there is not detectable (docs/security.md), so he waits for it.
     */
    :: atomic { thefts < THEFTS && stolen.kind == EMPTY && mem.kind == RECORD ->
           printf("step steal\n"); copy(stolen, mem) }
    :: atomic { thefts < THEFTS && stolen.kind == RECORD && !is_partial &&
                operator != ROTATE_SYNC && operator != ROTATE_MARK ->
           printf("step put_back\n");
           thefts++; copy(mem, stolen); clear(stolen);
           is_meddled = 1; ack_patched = 0; is_grace_shut = 0;
           FORGIVE(0)
#if WORKERS > 1
           ;FORGIVE(1)
#endif
       }
    od
}
