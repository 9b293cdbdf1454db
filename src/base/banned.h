/*
 * Calls that have no place in this code: unbounded, locale-bound, unchecked or not constant in
 * time. Using one is a compile error. Every source file of the library includes it as its last
 * header: a poisoned name may not be declared any more after this line.
 */
#ifndef LH_BASE_BANNED_H
#define LH_BASE_BANNED_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Under clang the fortified headers define this one as a macro. */
#undef sprintf
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok
#pragma GCC poison atoi atol atoll atof scanf sscanf fscanf
#pragma GCC poison memcmp bcmp
#pragma GCC poison asctime ctime gmtime localtime
#pragma GCC poison rand srand random srandom drand48
#undef alloca
#pragma GCC poison alloca system popen tmpnam mktemp tempnam

#endif
