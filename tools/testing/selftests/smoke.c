// SPDX-License-Identifier: GPL-2.0
/* First light: the shortest way from nothing to one command. */
#include "test.h"

FIXTURE(smoke) {
	struct box box;
};

FIXTURE_VARIANT(smoke) {
	bool no_shadow;
};

FIXTURE_VARIANT_ADD(smoke, ioctl) { .no_shadow = true };
FIXTURE_VARIANT_ADD(smoke, shadow) { .no_shadow = false };

FIXTURE_SETUP(smoke)
{
	BOX_SETUP(&self->box, .no_shadow = variant->no_shadow);
}

FIXTURE_TEARDOWN(smoke)
{
	box_stop(&self->box);
}

/* One Read brings what is on the disk. */
TEST_F(smoke, read)
{
	struct vng *g = &self->box.g;
	char buf[4096];
	uint64_t gpa;

	pattern_fill(buf, sizeof(buf), 1);
	ASSERT_EQ(0, disk_write(&self->box.disk, 8192, buf, sizeof(buf)));
	gpa = vng_alloc(g, sizeof(buf), 4096);
	ASSERT_NE(0, gpa);
	OK(box_rw(&self->box, VNG_CMD_READ, 8192, gpa, sizeof(buf)));
	EXPECT_EQ(-1, pattern_check(vng_ptr(g, gpa, sizeof(buf)), sizeof(buf), 1));
}

/* One Write puts it onto the disk. */
TEST_F(smoke, write)
{
	struct vng *g = &self->box.g;
	char buf[4096];
	uint64_t gpa;

	gpa = vng_alloc(g, sizeof(buf), 4096);
	ASSERT_NE(0, gpa);
	pattern_fill(vng_ptr(g, gpa, sizeof(buf)), sizeof(buf), 2);
	OK(box_rw(&self->box, VNG_CMD_WRITE, 4096, gpa, sizeof(buf)));
	ASSERT_EQ(0, disk_read(&self->box.disk, 4096, buf, sizeof(buf)));
	EXPECT_EQ(-1, pattern_check(buf, sizeof(buf), 2));
}

TEST_HARNESS_MAIN
