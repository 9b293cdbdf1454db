/*
 * Checks of public keys, in whole numbers: OpenSSL 3.0 itself takes an RSA exponent of 2,047 bits,
 * a modulus of 16,384 bits and an Ed25519 key of zeros.
 */
#include "crypto/key_policy.h"

#include "crypto/pkey.h"
#include "crypto/public_key.h"

#include <openssl/ec.h>

#include "base/banned.h"

/* --- RSA -------------------------------------------------------------------------------------- */

/*
 * Primes below 168. The library behind ROCA made primes k × M + (65537^a mod M), M a product of
 * the first primes, so that its moduli are powers of 65537 modulo each of these. For those of
 * which 65537 generates everything that says nothing; by the other 17, one in 2^27.8 of all honest
 * moduli looks the same, and is refused with them (Nemec et al., 2017, §2.1).
 */
static const uint8_t small_primes[] = {
    3,  5,  7,  11, 13, 17,  19,  23,  29,  31,  37,  41,  43,  47,  53,  59,  61,  67,  71,
    73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};

/* Whether value is a power of 65537 modulo prime. */
static bool is_power_of_65537(BN_ULONG value, unsigned prime)
{
    unsigned power = 1;
    do {
        if (power == value) {
            return true;
        }
        power = power * (65537U % prime) % prime;
    } while (power != 1);
    return false;
}

/* Errors: FORBIDDEN, NO_MEMORY. */
static lh_status check_small_primes(const BIGNUM *modulus)
{
    bool is_roca = true;
    for (size_t i = 0; i < sizeof(small_primes); i++) {
        BN_ULONG rest = BN_mod_word(modulus, small_primes[i]);
        LH_TRY(lh_crypto_ensure(rest != (BN_ULONG)-1, LH_NO_MEMORY));
        LH_ENSURE(rest != 0, LH_FORBIDDEN);
        is_roca = is_roca && is_power_of_65537(rest, small_primes[i]);
    }
    LH_ENSURE(!is_roca, LH_FORBIDDEN);
    return lh_ok();
}

/* Bits of a number without leading zeros. */
static size_t bits_of(lh_slice number)
{
    size_t bits = number.len * 8;
    for (unsigned top = number.ptr[0]; top < 0x80; top <<= 1) {
        bits--;
    }
    return bits;
}

static bool is_odd(lh_slice number)
{
    return (number.ptr[number.len - 1] & 1) != 0;
}

static bool is_number(lh_slice bytes)
{
    return bytes.len > 0 && bytes.ptr[0] != 0;
}

static bool is_good_exponent(lh_slice exponent)
{
    uint64_t value = 0;
    for (size_t i = 0; i < exponent.len && value <= LH_RSA_EXPONENT_MAX; i++) {
        value = value << 8 | exponent.ptr[i];
    }
    return value >= LH_RSA_EXPONENT_MIN && value <= LH_RSA_EXPONENT_MAX && is_odd(exponent);
}

lh_status lh_rsa_key_check(lh_slice modulus, lh_slice exponent)
{
    LH_ENSURE(is_number(modulus) && is_number(exponent), LH_MALFORMED);
    size_t bits = bits_of(modulus);
    LH_ENSURE(bits >= LH_RSA_MIN_BITS && bits <= LH_RSA_MAX_BITS && is_odd(modulus), LH_FORBIDDEN);
    LH_ENSURE(is_good_exponent(exponent), LH_FORBIDDEN);
    LH_CLEANUP(lh_number_drop) BIGNUM *number = BN_bin2bn(modulus.ptr, (int)modulus.len, NULL);
    LH_TRY(lh_crypto_ensure(number != NULL, LH_NO_MEMORY));
    return check_small_primes(number);
}

/* --- P-256 ------------------------------------------------------------------------------------ */

static void drop_group(EC_GROUP **group)
{
    EC_GROUP_free(*group);
}

static void drop_point(EC_POINT **point)
{
    EC_POINT_free(*point);
}

lh_status lh_p256_key_check(lh_slice point)
{
    LH_ENSURE(point.len == LH_P256_POINT_BYTES && point.ptr[0] == LH_P256_POINT_UNCOMPRESSED,
              LH_MALFORMED);
    LH_CLEANUP(drop_group) EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    LH_TRY(lh_crypto_ensure(group != NULL, LH_CRYPTO));
    LH_CLEANUP(drop_point) EC_POINT *read = EC_POINT_new(group);
    LH_TRY(lh_crypto_ensure(read != NULL, LH_NO_MEMORY));
    /* Refuses coordinates that are not below p and points that are not on the curve. */
    int is_point = EC_POINT_oct2point(group, read, point.ptr, point.len, NULL);
    return lh_crypto_leave(is_point == 1 ? LH_OK : LH_MALFORMED);
}

/* --- Ed25519 ---------------------------------------------------------------------------------- */

/* The top bit of the last byte is the sign of x (RFC 8032 §5.1.2). */
#define SIGN_BIT 0x80U

/*
 * y of the points whose order divides the cofactor 8, either sign of x: orders 4, 1, 2, and twice
 * 8. Signatures of one message hold for others under such a key (RFC 8032 §8.8 leaves the choice).
 */
static const uint8_t small_orders[][LH_ED25519_KEY_BYTES] = {
    {0},
    {1},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

/* The numbers of edwards25519 (RFC 8032 §5.1) and room to compute with them. */
struct edwards {
    BN_CTX *room;
    BIGNUM *p;
    BIGNUM *d;
    BIGNUM *y;
    BIGNUM *u;
    BIGNUM *v;
};

static void close_edwards(struct edwards *curve)
{
    BN_free(curve->p);
    BN_free(curve->d);
    BN_free(curve->y);
    BN_free(curve->u);
    BN_free(curve->v);
    BN_CTX_free(curve->room);
}

static lh_status open_edwards(struct edwards *curve, const uint8_t y[LH_ED25519_KEY_BYTES])
{
    static const char prime[] = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";
    static const char d[] = "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";
    curve->room = BN_CTX_new();
    curve->y = BN_lebin2bn(y, LH_ED25519_KEY_BYTES, NULL);
    curve->u = BN_new();
    curve->v = BN_new();
    bool is_complete = BN_hex2bn(&curve->p, prime) != 0 && BN_hex2bn(&curve->d, d) != 0 &&
                       curve->room != NULL && curve->y != NULL && curve->u != NULL &&
                       curve->v != NULL;
    return lh_crypto_ensure(is_complete, LH_NO_MEMORY);
}

/*
 * Whether there is an x for y: x² = (y² - 1) / (d y² + 1), that is, whether the product of both is
 * a square. The divisor is never zero.
 */
static lh_status check_has_x(struct edwards *curve)
{
    bool is_computed = BN_mod_sqr(curve->u, curve->y, curve->p, curve->room) == 1 &&
                       BN_mod_mul(curve->v, curve->d, curve->u, curve->p, curve->room) == 1 &&
                       BN_sub_word(curve->u, 1) == 1 && BN_add_word(curve->v, 1) == 1 &&
                       BN_mod_mul(curve->u, curve->u, curve->v, curve->p, curve->room) == 1;
    LH_TRY(lh_crypto_ensure(is_computed, LH_CRYPTO));
    int symbol = BN_kronecker(curve->u, curve->p, curve->room);
    LH_TRY(lh_crypto_ensure(symbol >= -1, LH_CRYPTO));
    return lh_crypto_leave(symbol >= 0 ? LH_OK : LH_MALFORMED);
}

static bool is_small_order(const uint8_t y[LH_ED25519_KEY_BYTES])
{
    for (size_t i = 0; i < sizeof(small_orders) / sizeof(small_orders[0]); i++) {
        if (lh_slice_is_equal(lh_slice_of(y, LH_ED25519_KEY_BYTES), LH_SLICE_OF(small_orders[i]))) {
            return true;
        }
    }
    return false;
}

lh_status lh_ed25519_key_check(lh_slice key)
{
    LH_ENSURE(key.len == LH_ED25519_KEY_BYTES, LH_MALFORMED);
    uint8_t y[LH_ED25519_KEY_BYTES];
    memcpy(y, key.ptr, sizeof(y));
    y[sizeof(y) - 1] &= (uint8_t)~SIGN_BIT;
    LH_CLEANUP(close_edwards) struct edwards curve = {0};
    LH_TRY(open_edwards(&curve, y));
    LH_ENSURE(BN_cmp(curve.y, curve.p) < 0, LH_MALFORMED);
    LH_ENSURE(!is_small_order(y), LH_FORBIDDEN);
    return check_has_x(&curve);
}
