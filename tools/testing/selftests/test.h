/* SPDX-License-Identifier: GPL-2.0 */
/* For the test programs: the harness and how to use the rest with it. */
#ifndef TEST_H
#define TEST_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "box.h"
#include "disk.h"
#include "util.h"
#include "vng.h"

/*
 * The environment (all optional):
 *
 *	VNG_SCALE	multiplies the rounds of stress tests and the limits of whole
 *			tests; default 1, which suits an emulated CPU
 *	VNG_TIMEOUT_MS	limit of one wait, 10000 by default; then the test fails. The
 *			limits of whole tests grow with it.
 *	VNG_DEVICE	/dev/vhost-nvme
 *	VNG_DISK	a disk that kinds may overwrite, for its variant "given"
 *	VNG_SEED	of the random numbers; printed by tests that use them
 */

/* Limits of the harness: evaluated when a test registers itself. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	test_limit(60)

/* A library call that has to succeed; needs "struct vng *g" in scope. */
#define OK(call)	ASSERT_EQ(0, (call)) TH_LOG("%s", vng_msg(g))

/* A call that has to fail with this errno, negative as the library returns it */
#define FAILS(err, call)	ASSERT_EQ(-(err), (call)) TH_LOG("%s", vng_msg(g))

/* A command, by a function that returns its status, and what that must be */
#define STATUS(sc, call)	ASSERT_EQ(sc, (call)) TH_LOG("%s", vng_msg(g))
#define DNR(sc)			((sc) | VNG_SC_DNR)

/* Of a valid NSID that is not used; VNG_SC_INVALID_NS is of invalid ones. */
#define NO_NS			DNR(VNG_SC_INVALID_FIELD)

/* An ioctl that has to fail with this errno */
#define IOCTL_FAILS(err, fd, cmd, arg)			\
do {							\
	ASSERT_EQ(-1, ioctl(fd, cmd, arg));		\
	ASSERT_EQ(err, errno);				\
} while (0)

#define IOCTL_OK(fd, cmd, arg)				\
	ASSERT_EQ(0, ioctl(fd, cmd, arg)) TH_LOG("%s", strerror(errno))

/* Of an owner that has ended, in a fixture that has noted what there was before it */
#define NOTHING_REMAINS(path)						\
do {									\
	const char *__what = remains(path, self->pinned, self->refcount); \
									\
	ASSERT_EQ(NULL, __what) TH_LOG("%s", __what);			\
} while (0)

/* For FIXTURE_SETUP: what is needed is there, or the test is skipped, or it fails. */
#define MODULE_SETUP()							\
do {									\
	if (access(getenv("VNG_DEVICE") ?: "/dev/vhost-nvme", F_OK))	\
		SKIP(return, "vhost_nvme is not loaded");		\
} while (0)

/* A disk as disk_create() makes it */
#define DISK_SETUP(...)							\
do {									\
	int __ret = disk_create(__VA_ARGS__);				\
									\
	if (__ret == -ENODEV)						\
		SKIP(return, "no null_blk");				\
	ASSERT_EQ(0, __ret) TH_LOG("disk: %s", strerror(-__ret));	\
} while (0)

/* A cgroup as cg_make() makes it in an array, "+" and one controller or more; needs cg.h */
#define CGROUP_SETUP(dir, controllers)					\
do {									\
	int __ret = cg_make(dir, sizeof(dir), controllers);		\
									\
	if (__ret == -ENOENT)						\
		SKIP(return, "cgroup v2 has no " controllers);		\
	ASSERT_EQ(0, __ret) TH_LOG("%s: %s", dir, strerror(-__ret));	\
} while (0)

/* A guest, or the test is skipped, or it fails. */
#define BOX_SETUP(b, ...)						\
do {									\
	struct box_opts __opts = { __VA_ARGS__ };			\
	int __ret = box_start(b, &__opts);				\
									\
	if (__ret == -ENOENT || __ret == -ENODEV)			\
		SKIP(return, "%s", vng_msg(&(b)->g));			\
	ASSERT_EQ(0, __ret) TH_LOG("%s", vng_msg(&(b)->g));		\
} while (0)

#endif /* TEST_H */
