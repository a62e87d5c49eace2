/* SPDX-License-Identifier: MIT */
/* Criterion lets a leak that the address sanitizer found pass; so every test that could leak asks at its end.
 * The file that uses it includes criterion. */
#ifndef TESTS_LEAK_H
#define TESTS_LEAK_H

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

#ifdef WITH_ASAN
#include <sanitizer/lsan_interface.h>
#define assert_no_leak() cr_assert(__lsan_do_recoverable_leak_check() == 0)
#else
#define assert_no_leak() (void)0
#endif

#endif
