/*
 * Faults.
 */
#include "torture/faults.h"

#include "support/fake_host.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define JUMP_MS 10000U

static size_t fail_at;
static size_t counted;
static bool is_lasting_fault;
static const char *first = "nothing";

void faults_at(size_t nth, bool is_lasting)
{
    fail_at = nth;
    counted = 0;
    is_lasting_fault = is_lasting;
    first = "nothing";
}

size_t faults_counted(void)
{
    return counted;
}

const char *faults_first(void)
{
    return first;
}

static bool is_due(const char *what)
{
    counted++;
    bool is = fail_at != 0 && (is_lasting_fault ? counted >= fail_at : counted == fail_at);
    if (is && counted == fail_at) {
        first = what;
    }
    if (is) {
        errno = EIO;
    }
    return is;
}

/* __wrap_f is what the library calls, __real_f is f. */
#define FAILING(type, name, failure, parameters, arguments)                                        \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return is_due(#name) ? (failure) : __real_##name arguments;                                \
    }

FAILING(void *, malloc, NULL, (size_t size), (size))
FAILING(void *, calloc, NULL, (size_t count, size_t size), (count, size))
FAILING(void *, realloc, NULL, (void *block, size_t size), (block, size))

FAILING(int, mdb_env_create, ENOMEM, (MDB_env * *env), (env))
FAILING(int, mdb_env_open, EIO, (MDB_env * env, const char *path, unsigned flags, mdb_mode_t mode),
        (env, path, flags, mode))
FAILING(int, mdb_env_info, EIO, (MDB_env * env, MDB_envinfo *stat), (env, stat))
FAILING(int, mdb_txn_begin, EIO, (MDB_env * env, MDB_txn *parent, unsigned flags, MDB_txn **txn),
        (env, parent, flags, txn))
FAILING(int, mdb_txn_renew, EIO, (MDB_txn * txn), (txn))
FAILING(int, mdb_dbi_open, EIO, (MDB_txn * txn, const char *name, unsigned flags, MDB_dbi *dbi),
        (txn, name, flags, dbi))
FAILING(int, mdb_stat, EIO, (MDB_txn * txn, MDB_dbi dbi, MDB_stat *stat), (txn, dbi, stat))
FAILING(int, mdb_get, EIO, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *value),
        (txn, dbi, key, value))
FAILING(int, mdb_put, MDB_MAP_FULL,
        (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *value, unsigned flags),
        (txn, dbi, key, value, flags))
FAILING(int, mdb_del, EIO, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *value),
        (txn, dbi, key, value))
FAILING(int, mdb_cursor_open, EIO, (MDB_txn * txn, MDB_dbi dbi, MDB_cursor **cursor),
        (txn, dbi, cursor))
FAILING(int, mdb_cursor_get, EIO,
        (MDB_cursor * cursor, MDB_val *key, MDB_val *value, MDB_cursor_op op),
        (cursor, key, value, op))
FAILING(int, mdb_reader_check, EIO, (MDB_env * env, int *dead), (env, dead))

int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn)
{
    if (is_due("mdb_txn_commit")) {
        mdb_txn_abort(txn); /* a commit that fails ends the transaction all the same */
        return ENOSPC;
    }
    return __real_mdb_txn_commit(txn);
}

FAILING(ssize_t, read, -1, (int fd, void *bytes, size_t len), (fd, bytes, len))
FAILING(ssize_t, pread64, -1, (int fd, void *bytes, size_t len, off_t offset),
        (fd, bytes, len, offset))
FAILING(int, fstat64, -1, (int fd, struct stat *entry), (fd, entry))
FAILING(int, stat64, -1, (const char *path, struct stat *entry), (path, entry))
FAILING(int, flock, -1, (int fd, int how), (fd, how))
FAILING(int, fdatasync, -1, (int fd), (fd))
FAILING(void *, mmap64, MAP_FAILED,
        (void *at, size_t len, int protection, int flags, int fd, off_t offset),
        (at, len, protection, flags, fd, offset))

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    unsigned mode = (flags & O_CREAT) != 0 ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    return is_due("open64") ? -1 : __real_open64(path, flags, mode);
}

int __real_openat64(int dir, const char *path, int flags, ...);
int __wrap_openat64(int dir, const char *path, int flags, ...);
int __wrap_openat64(int dir, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    unsigned mode = (flags & O_CREAT) != 0 ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    return is_due("openat64") ? -1 : __real_openat64(dir, path, flags, mode);
}

FAILING(int, RAND_priv_bytes, 0, (unsigned char *bytes, int len), (bytes, len))
FAILING(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_new, NULL, (void), ())
FAILING(EVP_MD_CTX *, EVP_MD_CTX_new, NULL, (void), ())
FAILING(EVP_MAC_CTX *, EVP_MAC_CTX_new, NULL, (EVP_MAC * mac), (mac))
FAILING(EVP_MAC_CTX *, EVP_MAC_CTX_dup, NULL, (const EVP_MAC_CTX *from), (from))
FAILING(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_pkey, NULL,
        (OSSL_LIB_CTX * library, EVP_PKEY *key, const char *query), (library, key, query))
FAILING(int, EVP_PKEY_sign, 0,
        (EVP_PKEY_CTX * ctx, unsigned char *signature, size_t *len, const unsigned char *digest,
         size_t digest_len),
        (ctx, signature, len, digest, digest_len))
FAILING(int, EVP_CipherInit_ex2, 0,
        (EVP_CIPHER_CTX * ctx, const EVP_CIPHER *cipher, const unsigned char *key,
         const unsigned char *iv, int is_encrypting, const OSSL_PARAM params[]),
        (ctx, cipher, key, iv, is_encrypting, params))
FAILING(int, EVP_CipherUpdate, 0,
        (EVP_CIPHER_CTX * ctx, unsigned char *out, int *out_len, const unsigned char *in,
         int in_len),
        (ctx, out, out_len, in, in_len))
FAILING(int, EVP_EncryptInit_ex2, 0,
        (EVP_CIPHER_CTX * ctx, const EVP_CIPHER *cipher, const unsigned char *key,
         const unsigned char *iv, const OSSL_PARAM params[]),
        (ctx, cipher, key, iv, params))
FAILING(int, EVP_EncryptUpdate, 0,
        (EVP_CIPHER_CTX * ctx, unsigned char *out, int *out_len, const unsigned char *in,
         int in_len),
        (ctx, out, out_len, in, in_len))
FAILING(int, EVP_MAC_init, 0,
        (EVP_MAC_CTX * ctx, const unsigned char *key, size_t len, const OSSL_PARAM params[]),
        (ctx, key, len, params))
FAILING(int, EVP_MAC_update, 0, (EVP_MAC_CTX * ctx, const unsigned char *bytes, size_t len),
        (ctx, bytes, len))
FAILING(int, EVP_MAC_final, 0, (EVP_MAC_CTX * ctx, unsigned char *out, size_t *len, size_t room),
        (ctx, out, len, room))
FAILING(int, EVP_DigestInit_ex2, 0,
        (EVP_MD_CTX * ctx, const EVP_MD *digest, const OSSL_PARAM params[]), (ctx, digest, params))
FAILING(int, EVP_DigestUpdate, 0, (EVP_MD_CTX * ctx, const void *bytes, size_t len),
        (ctx, bytes, len))
FAILING(int, EVP_DigestFinal_ex, 0, (EVP_MD_CTX * ctx, unsigned char *out, unsigned *len),
        (ctx, out, len))

/* --- The host --------------------------------------------------------------------------------- */

static lh_status (*lent_offload)(void *self, enum lh_lane lane, struct lh_task *task);
static uint64_t (*lent_boot_ms)(void *self);

static lh_status offload(void *self, enum lh_lane lane, struct lh_task *task)
{
    LH_ENSURE(!is_due("offload"), LH_QUEUE_FULL);
    return lent_offload(self, lane, task);
}

static uint64_t read_boot_ms(void *self)
{
    if (is_due("boot_ms")) {
        fake_host_advance(self, JUMP_MS);
    }
    return lent_boot_ms(self);
}

void faults_lend(struct fake_host *fake)
{
    lent_offload = fake->host.offload;
    lent_boot_ms = fake->host.boot_ms;
    fake->host.offload = offload;
    fake->host.boot_ms = read_boot_ms;
}
