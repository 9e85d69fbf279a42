// SPDX-License-Identifier: GPL-2.0
/* A file system of one file that a thread of the test serves, or lets wait */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "fuse.h"
#include "util.h"

#define FILE_ID		2
#define FILE_NAME	"memory"

static char zeroes[FUSE_SIZE];

static void reply(struct fuse *f, uint64_t unique, int error, const void *data,
		  size_t len)
{
	struct fuse_out_header head = {
		.len = sizeof(head) + len, .error = error, .unique = unique,
	};
	struct iovec iov[] = {
		{ &head, sizeof(head) }, { (void *)data, len },
	};

	/* ENOENT: fuse_stop() has ended it, or it is an interrupt that came late. */
	if (writev(f->dev, iov, 2) < 0 && errno != ENOENT)
		perror("# fuse");
}

static void attr_set(struct fuse_attr *attr, uint64_t id)
{
	attr->ino = id;
	attr->mode = id == FILE_ID ? S_IFREG | 0600 : S_IFDIR | 0700;
	attr->size = id == FILE_ID ? FUSE_SIZE : 0;
	attr->nlink = 1;
	attr->blksize = 4096;
}

static void answer(struct fuse *f, enum fuse_op op, uint64_t unique, uint32_t len)
{
	struct fuse_write_out out = { .size = len };

	if (op == FUSE_OP_READ)
		reply(f, unique, 0, zeroes, len);
	else
		reply(f, unique, 0, &out, sizeof(out));
}

/* Answers, now or later. */
static void serve_io(struct fuse *f, enum fuse_op op, uint64_t unique,
		     uint64_t off, uint32_t len)
{
	pthread_mutex_lock(&f->lock);
	if (f->hold[op] == (int64_t)off && !f->held[op]) {
		f->held[op] = true;
		f->unique[op] = unique;
		f->len[op] = len;
		pthread_cond_broadcast(&f->changed);
	} else {
		answer(f, op, unique, len);
	}
	pthread_mutex_unlock(&f->lock);
}

static void serve(struct fuse *f, const struct fuse_in_header *in)
{
	const struct fuse_init_in *init = (const void *)(in + 1);
	/* What matters here, struct fuse_read_in has in the same place. */
	const struct fuse_write_in *io = (const void *)(in + 1);
	struct fuse_entry_out entry = { .nodeid = FILE_ID };
	struct fuse_attr_out attr = { .attr_valid = 1000 };
	struct fuse_init_out init_out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = FUSE_SIZE,
	};

	switch (in->opcode) {
	case FUSE_INIT:
		if (init->minor < init_out.minor)
			init_out.minor = init->minor;
		reply(f, in->unique, 0, &init_out, sizeof(init_out));
		break;
	case FUSE_LOOKUP:
		if (in->nodeid != FUSE_ROOT_ID ||
		    strcmp((const char *)(in + 1), FILE_NAME)) {
			reply(f, in->unique, -ENOENT, NULL, 0);
			break;
		}
		entry.entry_valid = 1000;
		entry.attr_valid = 1000;
		attr_set(&entry.attr, FILE_ID);
		reply(f, in->unique, 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
		attr_set(&attr.attr, in->nodeid);
		reply(f, in->unique, 0, &attr, sizeof(attr));
		break;
	case FUSE_READ:
		serve_io(f, FUSE_OP_READ, in->unique, io->offset, io->size);
		break;
	case FUSE_WRITE:
		serve_io(f, FUSE_OP_WRITE, in->unique, io->offset, io->size);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		break;
	default:
		/* Of FUSE_OPEN, too: then files are just open. */
		reply(f, in->unique, -ENOSYS, NULL, 0);
	}
}

static void *fuse_thread(void *arg)
{
	/* The kernel wants room for the largest write, and for its header. */
	static char buf[FUSE_SIZE + 4096] __attribute__((aligned(8)));
	struct fuse *f = arg;

	/* Until it is not mounted any more */
	while (read(f->dev, buf, sizeof(buf)) > 0)
		serve(f, (const void *)buf);
	return NULL;
}

int fuse_start(struct fuse *f)
{
	unsigned int op;
	char options[80];
	int ret;

	memset(f, 0, sizeof(*f));
	for (op = 0; op < FUSE_OPS; op++)
		f->hold[op] = -1;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	f->dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (f->dev < 0)
		return errno == ENXIO || errno == ENOENT ? -ENODEV : -errno;
	strcpy(f->dir, "/tmp/vng-fuse-XXXXXX");
	if (!mkdtemp(f->dir)) {
		ret = -errno;
		close(f->dev);
		f->dev = -1;
		return ret;
	}
	snprintf(f->path, sizeof(f->path), "%s/" FILE_NAME, f->dir);
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0", f->dev);
	ret = mount("vng", f->dir, "fuse", MS_NOSUID | MS_NODEV, options) ?
	      -errno : -pthread_create(&f->thread, NULL, fuse_thread, f);
	f->served = !ret;
	if (ret)
		fuse_stop(f);
	return ret;
}

void fuse_stop(struct fuse *f)
{
	if (f->dev < 0)
		return;
	umount2(f->dir, MNT_FORCE | MNT_DETACH);
	if (f->notified)
		pthread_join(f->inval, NULL);
	if (f->served)
		pthread_join(f->thread, NULL);
	close(f->dev);
	f->dev = -1;
	rmdir(f->dir);
}

void fuse_hold(struct fuse *f, enum fuse_op op, uint64_t off)
{
	pthread_mutex_lock(&f->lock);
	f->hold[op] = off;
	pthread_mutex_unlock(&f->lock);
}

bool fuse_is_held(struct fuse *f, enum fuse_op op)
{
	struct timespec end;
	int ret = 0;
	bool held;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += test_timeout_ms() / 1000;
	pthread_mutex_lock(&f->lock);
	while (!f->held[op] && !ret)
		ret = pthread_cond_timedwait(&f->changed, &f->lock, &end);
	held = f->held[op];
	pthread_mutex_unlock(&f->lock);
	return held;
}

void fuse_release(struct fuse *f, enum fuse_op op)
{
	pthread_mutex_lock(&f->lock);
	f->hold[op] = -1;
	if (f->held[op])
		answer(f, op, f->unique[op], f->len[op]);
	f->held[op] = false;
	pthread_mutex_unlock(&f->lock);
}

static void *inval_thread(void *arg)
{
	struct {
		struct fuse_out_header		head;
		struct fuse_notify_inval_inode_out inval;
	} msg = {
		.head = {
			.len = sizeof(msg), .error = FUSE_NOTIFY_INVAL_INODE,
		},
		.inval = { .ino = FILE_ID, .len = 1 },
	};
	struct fuse *f = arg;

	if (write(f->dev, &msg, sizeof(msg)) < 0)
		perror("# fuse: inval");
	return NULL;
}

int fuse_invalidate(struct fuse *f)
{
	int ret = -pthread_create(&f->inval, NULL, inval_thread, f);

	f->notified = !ret;
	return ret;
}
