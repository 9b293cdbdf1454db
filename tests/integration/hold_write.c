/*
 * For tests: a process that sits in a write transaction of an LMDB environment until it is killed,
 * as a stopped operator command would. Says "held" once it does.
 */
#include <lmdb.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    MDB_env *env;
    MDB_txn *txn;

    if (argc != 2 || mdb_env_create(&env) != 0 || mdb_env_set_maxdbs(env, 32) != 0 ||
        mdb_env_open(env, argv[1], MDB_NOSYNC | MDB_NORDAHEAD | MDB_NOTLS, 0600) != 0 ||
        mdb_txn_begin(env, NULL, 0, &txn) != 0) {
        return 1;
    }
    puts("held");
    fflush(stdout);
    for (;;) {
        pause();
    }
}
