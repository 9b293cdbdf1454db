/*
 * A worker of the model: a request in the order of its steps, its cache, its queues of writes; and
 * the promises, held against each acceptance.
 */

/* --- The promises, held against each acceptance ------------------------------------------------ */

inline accept(i, is_hit, version)
{
    assert(!w[i].dead);                                     /* revoke and epoch beat everything */
    assert(version >= w[i].least);                           /* no older generation than marked */
    assert(!((w[i].old_dead || w[i].is_shut) && w[i].secret == 1)); /* after the grace the new one alone */
    assert(w[i].when < ABS && w[i].when < last_use + IDLE); /* nothing lives beyond its ends */
    /* What has expired stays so; only a worker that used it within this tick may not know yet. */
    assert(!w[i].over || is_meddled || (is_hit && w[i].when == last_use));
    if
    :: w[i].when > last_use -> last_use = w[i].when
    :: else
    fi
}

/* A touch is queued, or dropped and then not remembered as made. */
inline use(i)
{
    if
    :: w[i].when > w[i].cached_touch && w[i].is_cached ->
        w[i].touch = w[i].when; w[i].cached_touch = w[i].when; printf("step queue_touch %d\n", i)
    :: true
    fi
}

/* --- A worker's request, in the order of its steps --------------------------------------------- */

inline begin(i, cookie)
{
#ifdef WALK
    calm = calm + (calm < WALK);
#endif
    printf("step begin %d secret %d place %d generation %d touch %d\n", i, cookie, mem.kind, mem.gen, mem.touch);
    w[i].at = 1;
    w[i].secret = cookie;
    w[i].dead = ack_dead;
    w[i].over = is_expired;
    w[i].least = ack_least;
    w[i].old_dead = (ack_least > 0 && now >= ack_grace);
    w[i].is_shut = is_grace_shut
}

inline find_tenant(i)
{
    if
    :: !w[i].is_known ->
        w[i].is_known = 1;
        w[i].known_epoch = reg_epoch;
        w[i].known_marks = reg_revoked || reg_least > 0
    :: else
    fi;
    w[i].at = 2
}

#define HIT(i) (w[i].is_cached && \
                w[i].cached_secret == w[i].secret && !(now >= ABS || now >= w[i].cached_touch + IDLE))
#define IN_GRACE(i) (mem.previous == w[i].secret && now < mem.grace_end)
#ifdef GRACE_NEVER_ENDS
#define PREVIOUS(i) (mem.previous == w[i].secret)
#else
#define PREVIOUS(i) IN_GRACE(i)
#endif
#ifdef NO_IDLE_CHECK
#define LOADED_OVER (now >= ABS)
#else
#define LOADED_OVER OVER(mem, now)
#endif

inline load(i)
{
    w[i].when = now;
    if
    :: HIT(i) ->
        printf("step hit %d\n", i);
        accept(i, 1, w[i].cached_gen);
        use(i);
        clear_request(i)
    :: !HIT(i) && mem.kind == EMPTY ->
        if
#ifdef PARTIAL_IS_ABSENT
        :: true ->
#else
        :: !is_partial ->
#endif
            printf("step load %d ABSENT\n", i);
            assert(!is_partial) /* unknown is never called absent */
#ifndef PARTIAL_IS_ABSENT
        :: is_partial ->
            printf("step load %d STORE_DOWN\n", i)
#endif
        fi;
        clear_request(i)
    :: !HIT(i) && mem.kind == TOMBSTONE ->
        printf("step load %d REVOKED\n", i);
        clear_request(i)
    :: !HIT(i) && mem.kind == RECORD ->
        if
        :: mem.secret != w[i].secret && !PREVIOUS(i) ->
            printf("step load %d BAD_SECRET\n", i);
            clear_request(i)
        :: (mem.secret == w[i].secret || PREVIOUS(i)) && LOADED_OVER ->
            printf("step load %d EXPIRED\n", i);
            w[i].expire = now;
            clear_request(i)
        :: (mem.secret == w[i].secret || PREVIOUS(i)) && !LOADED_OVER ->
            printf("step load %d generation %d previous %d OK\n", i, mem.gen, mem.secret != w[i].secret);
            copy(w[i].loaded, mem);
            w[i].at = 3
        fi
    fi
}

inline remember(i)
{
    w[i].is_cached = (w[i].when == now); /* an entry counts from the begin of its request */
#ifdef NOTE_AFTER_READ
    w[i].is_stale = 0;
#endif
    w[i].cached_secret = w[i].secret;
    w[i].cached_gen = w[i].loaded.gen;
    w[i].cached_touch = w[i].loaded.touch
}

inline judge(i)
{
    if
    :: w[i].known_epoch || (w[i].known_marks && reg_revoked) ->
        printf("step judge %d epoch %d marks %d REVOKED\n", i, w[i].known_epoch, w[i].known_marks);
        clear_request(i)
    :: !w[i].known_epoch && !(w[i].known_marks && reg_revoked) && w[i].known_marks &&
       w[i].loaded.gen < reg_least ->
        printf("step judge %d epoch 0 marks 1 TAMPERED\n", i);
        clear_request(i)
    :: !w[i].known_epoch && !(w[i].known_marks && (reg_revoked || w[i].loaded.gen < reg_least)) ->
        printf("step judge %d epoch 0 marks %d OK\n", i, w[i].known_marks);
        accept(i, 0, w[i].loaded.gen);
        if
        :: w[i].loaded.secret == w[i].secret ->
            remember(i);
            if /* the first use of the new secret shuts the grace */
            :: w[i].loaded.previous != 0 ->
                w[i].grace_gen = w[i].loaded.gen; printf("step queue_grace %d\n", i)
            :: else
            fi
        :: w[i].loaded.secret != w[i].secret ->
            printf("step in_grace %d\n", i);
#ifdef CACHE_PREVIOUS
            remember(i)
#else
            clear_cache(i)
#endif
        fi;
        use(i);
        clear_request(i)
    fi
}

/* --- Its writes, on the write lane ------------------------------------------------------------- */

inline write_touch(i)
{
    if
#ifdef TOUCH_PUTS_BACK
    :: mem.kind != RECORD ->
        printf("step touch %d puts\n", w[i].touch);
        put_record(mem)
#else
    :: mem.kind != RECORD ->
        printf("step touch %d\n", w[i].touch)
#endif
    :: mem.kind == RECORD && w[i].touch > mem.touch && !OVER(mem, w[i].touch) ->
        printf("step touch %d\n", w[i].touch);
        mem.touch = w[i].touch
    :: mem.kind == RECORD && !(w[i].touch > mem.touch && !OVER(mem, w[i].touch)) ->
        printf("step touch %d\n", w[i].touch)
    fi;
    w[i].touch = 0
}

/* Judges again: a touch may have come between. */
inline write_expire(i)
{
    printf("step expire %d\n", w[i].expire);
    if
    :: mem.kind == RECORD && OVER(mem, w[i].expire) -> bury(); is_expired = 1
    :: else
    fi;
    w[i].expire = 0
}

inline write_grace(i)
{
    if
    :: mem.kind == RECORD && mem.gen == w[i].grace_gen ->
        printf("step shut_grace %d OK\n", w[i].grace_gen);
        mem.gen = mem.gen + 1;
        mem.previous = 0;
        mem.grace_end = 0;
        is_grace_shut = 1
    :: mem.kind == RECORD && mem.gen != w[i].grace_gen ->
        printf("step shut_grace %d CONFLICT\n", w[i].grace_gen)
    :: mem.kind == TOMBSTONE ->
        printf("step shut_grace %d REVOKED\n", w[i].grace_gen)
    :: mem.kind == EMPTY ->
        printf("step shut_grace %d ABSENT\n", w[i].grace_gen)
    fi;
    w[i].grace_gen = 0
}

/* The queue was full, or the store busy for too long. */
inline give_up(i)
{
    w[i].expire = 0;
    w[i].grace_gen = 0
}

/* All that a worker may do next. */
#define WORKER(i)                                                                                  \
    :: atomic { w[i].at == 0 -> begin(i, 1) }                                        \
    :: atomic { w[i].at == 0 && rotations > 0 -> begin(i, 2) }                       \
    :: atomic { w[i].at == 1 -> find_tenant(i) }                                                   \
    :: atomic { w[i].at == 2 -> load(i) }                                                          \
    :: atomic { w[i].at == 3 -> judge(i) }                                                         \
    :: atomic { w[i].touch > 0 -> write_touch(i) }                                                 \
    :: atomic { w[i].expire > 0 -> write_expire(i) }                                               \
    :: atomic { w[i].grace_gen > 0 -> write_grace(i) }                                             \
    :: atomic { w[i].expire > 0 || w[i].grace_gen > 0 -> give_up(i) }
