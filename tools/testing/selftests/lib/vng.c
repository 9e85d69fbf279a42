// SPDX-License-Identifier: GPL-2.0
/* The controller's file: ownership, namespaces, events, statistics. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "vng.h"

uint64_t vng_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

const char *vng_msg(const struct vng *g)
{
	return g->msg;
}

int vng_fail(struct vng *g, int err, const char *fmt, ...)
{
	size_t n;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(g->msg, sizeof(g->msg), fmt, ap);
	va_end(ap);
	n = strlen(g->msg);
	snprintf(g->msg + n, sizeof(g->msg) - n, ": %s", strerror(-err));
	return err;
}

int vng_ioctl(struct vng *g, unsigned long cmd, void *arg, const char *what)
{
	int ret = g->ioctl ? g->ioctl(g, cmd, arg) : ioctl(g->fd, cmd, arg);

	return ret < 0 ? vng_fail(g, -errno, "%s", what) : 0;
}

int vng_open(struct vng *g)
{
	const char *dev = getenv("VNG_DEVICE") ?: "/dev/vhost-nvme";
	const char *timeout = getenv("VNG_TIMEOUT_MS");
	int ret;

	memset(g, 0, sizeof(*g));
	g->timeout_ms = timeout ? strtoul(timeout, NULL, 0) : 10000;
	g->page_shift = 12;
	g->workers = 1;
	g->fd = open(dev, O_RDWR | O_CLOEXEC);
	if (g->fd < 0)
		return vng_fail(g, -errno, "open %s", dev);

	g->caps.size = sizeof(g->caps);
	ret = vng_ioctl(g, VHOST_NVME_GET_CAPS, &g->caps, "GET_CAPS");
	if (ret)
		goto err_close;

	g->sq = calloc(g->caps.max_queues + 1, sizeof(*g->sq));
	g->cq = calloc(g->caps.max_queues + 1, sizeof(*g->cq));
	if (!g->sq || !g->cq) {
		ret = vng_fail(g, -ENOMEM, "queue tables");
		goto err_free;
	}
	return 0;

err_free:
	free(g->sq);
	free(g->cq);
err_close:
	close(g->fd);
	g->fd = -1;
	return ret;
}

void vng_close(struct vng *g)
{
	unsigned int i;

	if (g->fd < 0)
		return;
	/* Before the memory goes away, the controller must be gone. */
	close(g->fd);
	g->fd = -1;
	for (i = 0; i <= g->caps.max_queues; i++) {
		if (g->sq[i])
			vng_sq_drop(g->sq[i]);
		if (g->cq[i])
			vng_cq_drop(g->cq[i]);
	}
	free(g->sq);
	free(g->cq);
	for (i = 0; i < g->nr_regions; i++)
		if (g->region[i].owned)
			munmap(g->region[i].hva, g->region[i].size);
	g->nr_regions = 0;
}

int vng_set_owner(struct vng *g)
{
	return vng_ioctl(g, VHOST_SET_OWNER, NULL, "VHOST_SET_OWNER");
}

int vng_set_ns(struct vng *g, uint32_t nsid, int fd, unsigned int lba_shift,
	       uint64_t nlb, uint32_t flags)
{
	struct vhost_nvme_ns ns = {
		.nsid = nsid,
		.flags = flags,
		.fd = fd,
		.lba_shift = lba_shift,
		.nlb = nlb,
	};

	return vng_ioctl(g, VHOST_NVME_SET_NS, &ns, "SET_NS");
}

int vng_set_ns_copy(struct vng *g, uint32_t nsid, int fd, unsigned int lba_shift,
		    uint32_t mcl, uint16_t mssrl, uint8_t msrc)
{
	struct vhost_nvme_ns ns = {
		.nsid = nsid,
		.fd = fd,
		.lba_shift = lba_shift,
		.mcl = mcl,
		.mssrl = mssrl,
		.msrc = msrc,
	};

	return vng_ioctl(g, VHOST_NVME_SET_NS, &ns, "SET_NS");
}

int vng_set_poll(struct vng *g, uint32_t poll_us)
{
	struct vhost_nvme_poll poll = { .poll_us = poll_us, .irq_us = poll_us };

	return vng_ioctl(g, VHOST_NVME_SET_POLL, &poll, "SET_POLL");
}

int vng_set_features(struct vng *g, uint64_t features)
{
	return vng_ioctl(g, VHOST_SET_FEATURES, &features, "VHOST_SET_FEATURES");
}

int vng_set_workers(struct vng *g, uint32_t nr)
{
	struct vhost_nvme_workers workers = { .nr = nr };

	int ret = vng_ioctl(g, VHOST_NVME_SET_WORKERS, &workers, "SET_WORKERS");

	if (!ret)
		g->workers = nr;
	return ret;
}

int vng_set_ctrl(struct vng *g, uint32_t flags, uint32_t max_transfer,
		 uint32_t max_verify, uint32_t burst)
{
	struct vhost_nvme_ctrl ctrl = {
		.flags = flags,
		.max_transfer = max_transfer,
		.max_verify = max_verify,
		.burst = burst,
	};

	return vng_ioctl(g, VHOST_NVME_SET_CTRL, &ctrl, "SET_CTRL");
}

int vng_reset(struct vng *g)
{
	return vng_ioctl(g, VHOST_NVME_RESET, NULL, "RESET");
}

int vng_stats(struct vng *g, uint16_t scope, uint16_t id,
	      struct vhost_nvme_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->size = sizeof(*stats);
	stats->scope = scope;
	stats->id = id;
	return vng_ioctl(g, VHOST_NVME_GET_STATS, stats, "GET_STATS");
}

int vng_event(struct vng *g, struct vhost_nvme_event *ev,
	      unsigned int timeout_ms)
{
	struct pollfd pfd = { .fd = g->fd, .events = POLLIN };
	ssize_t n;
	int ret;

	ret = poll(&pfd, 1, timeout_ms);
	if (ret < 0)
		return vng_fail(g, -errno, "poll for an event");
	if (!ret)
		return vng_fail(g, -ETIMEDOUT, "no event within %u ms",
				timeout_ms);
	if (!(pfd.revents & POLLIN))
		return vng_fail(g, -EIO, "poll for an event: revents %#x",
				pfd.revents);
	n = read(g->fd, ev, sizeof(*ev));
	if (n < 0)
		return vng_fail(g, -errno, "read an event");
	if (n != sizeof(*ev))
		return vng_fail(g, -EIO, "read an event: %zd bytes", n);
	return 0;
}

int vng_event_wait(struct vng *g, uint32_t type, uint32_t id)
{
	struct vhost_nvme_event ev;
	int ret;

	ret = vng_event(g, &ev, g->timeout_ms);
	if (ret == -ETIMEDOUT)
		return vng_fail(g, ret, "no event %u of %u within %u ms", type,
				id, g->timeout_ms);
	if (ret)
		return ret;
	if (ev.type != type || ev.id != id)
		return vng_fail(g, -EPROTO,
				"event %u of %u while waiting for %u of %u",
				ev.type, ev.id, type, id);
	return 0;
}
