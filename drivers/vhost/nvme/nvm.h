/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VN_NVM_H
#define _VN_NVM_H

/* What the files of the NVM command set share. */

#include <linux/blkdev.h>

#include "vhost_nvme.h"

/* Not in <linux/nvme.h> of all kernels */
#define VN_CMD_COPY		0x19
#define VN_SC_INCOMPATIBLE_NS	0x185
#define VN_SC_OVERLAPPING_RANGE	0x187

/**
 * struct vn_op - an NVM command
 * @prep: validate and copy everything; runs in the worker and may fault on
 *	guest memory, but neither waits for a disk nor starts I/O. Returns an
 *	NVMe status.
 * @issue: start it; whatever happens ends in vn_req_complete()
 * @step: instead of @issue, for what takes long: do a part of it that is bounded
 *	in memory and in work for the disk, and wait for it; true if something
 *	is left to do. Runs in a workqueue, where others have their turn
 *	between two steps, and the end of the SQ ends the command. An error goes
 *	to req->status.
 * @end: after the last @step, or if the command is not executed because its queue is
 *	deleted: free what @prep left in req->data. NULL: kfree().
 * @blocking: @issue may block, so it runs in a workqueue
 * @other_disks: and not only for the disk of its namespace, so that it waits for its
 *	turn in ctrl->turns
 * @any_ns: @prep takes care of the NSID
 */
struct vn_op {
	u16	(*prep)(struct vn_req *req);
	void	(*issue)(struct vn_req *req);
	bool	(*step)(struct vn_req *req);
	void	(*end)(struct vn_req *req);
	bool	blocking;
	bool	other_disks;
	bool	any_ns;
};

/**
 * struct vn_runner - executes commands that wait
 * @turns: whose
 * @work: executes one, and is queued again if more wait
 */
struct vn_runner {
	struct vn_turns		*turns;
	struct work_struct	work;
};

/* Leads that can be told apart: a power of two above VN_MAX_LEAD */
#define VN_LEADS		64

/**
 * struct vn_disk - a disk, for all namespaces on it, of whatever controller
 * @node: in vn_disks: vn_disks_lock
 * @disk: it; each of the namespaces keeps it open
 * @users: number of namespaces: vn_disks_lock
 *
 * Read by workers without @lock:
 * @nr_crowding: number of submission queues in vn_turns.refused of all of them
 *
 * @lock: the members below, and writing to @nr_crowding; taken in any context
 * @now: turns that all who wait have had, at least, modulo 2^32
 * @waiting: number of namespaces with commands in vn_turns.refused, by
 *	vn_turns.shared modulo VN_LEADS: so the least lead is found without a look
 *	at each of them, however many controllers use the disk
 */
struct vn_disk {
	struct list_head	node;
	struct gendisk		*disk;
	unsigned int		users;

	unsigned int		nr_crowding;

	spinlock_t		lock ____cacheline_aligned_in_smp;
	u32			now;
	unsigned int		waiting[VN_LEADS];
};

/**
 * struct vn_turns - commands that wait for their turn
 * @wq: runs the runners; it is destroyed first, so that they need no reference to
 *	the namespace or controller
 * @disk: the disk for which they wait, if it is a single one; else NULL
 *
 * Read by workers without @lock, and so written atomically:
 * @refused: submission queues with commands that would not have come here if the
 *	disk were not busy
 *
 * @lock: the members below, and writing to @refused; taken in any context
 * @idle: runners that are not queued, as a bit mask
 * @next: first submission queue to look at
 * @now: what all queues that wait have had, at least, modulo 2^32
 * @waiting: submission queues that have some
 * @served: what a queue has had if it is more than that; see vn_lead()
 * @nr_refused: how many there are for @refused
 * @queue: all that wait, oldest first
 * @runner: the runners
 *
 * Both @lock and @disk's:
 * @nr_crowding: number of queues in @refused
 * @shared: what all queues have had of the disk if it is more than @disk's now
 */
struct vn_turns {
	struct workqueue_struct	*wq;
	struct vn_disk		*disk;
	DECLARE_BITMAP(refused, VN_MAX_QUEUES + 1);

	spinlock_t		lock ____cacheline_aligned_in_smp;
	unsigned long		idle;
	unsigned int		next;
	u32			now;
	unsigned int		nr_crowding;
	u32			shared;
	DECLARE_BITMAP(waiting, VN_MAX_QUEUES + 1);
	u32			served[VN_MAX_QUEUES + 1];
	u16			nr_refused[VN_MAX_QUEUES + 1];
	struct list_head	queue[VN_MAX_QUEUES + 1];
	struct vn_runner	runner[VN_MAX_BLOCKING];
};

static_assert(VN_MAX_BLOCKING <= BITS_PER_LONG);
static_assert(VN_MAX_INFLIGHT <= U16_MAX);
static_assert(VN_MAX_LEAD < VN_LEADS);

/* nvm.c */
u16 vn_blk_status(struct vn_ns *ns, blk_status_t status, bool read);
u16 vn_no_ns(u32 nsid);

/* defer.c */
void vn_req_defer(struct vn_req *req);
void vn_req_crowded(struct vn_req *req);

/* rw.c */
u16 vn_rw_prep(struct vn_req *req);
u16 vn_flush_prep(struct vn_req *req);
void vn_bio_issue(struct vn_req *req);

/* range.c */
u16 vn_write_zeroes_prep(struct vn_req *req);
bool vn_write_zeroes_step(struct vn_req *req);
u16 vn_dsm_prep(struct vn_req *req);
bool vn_dsm_step(struct vn_req *req);

/* copy.c */
bool vn_rw_step(struct vn_req *req);
u16 vn_compare_prep(struct vn_req *req);
u16 vn_verify_prep(struct vn_req *req);
bool vn_compare_step(struct vn_req *req);
u16 vn_copy_prep(struct vn_req *req);
bool vn_copy_step(struct vn_req *req);
void vn_copy_end(struct vn_req *req);

/**
 * vn_turns_crowded - do commands wait that the disk was too busy for?
 * @turns: a namespace's, whose disk may have others
 *
 * What changes meanwhile may be missed: then vn_req_crowded() is not called, or for
 * nothing.
 */
static inline bool vn_turns_crowded(const struct vn_turns *turns)
{
	return READ_ONCE(turns->disk->nr_crowding);
}

static inline u16 vn_errno_status(struct vn_ns *ns, int err, bool read)
{
	return vn_blk_status(ns, errno_to_blk_status(err), read);
}

static inline sector_t vn_sector(const struct vn_ns *ns, u64 lba)
{
	return lba << (ns->lba_shift - SECTOR_SHIFT);
}

/* Number of logical blocks of a command with such a field, which is 0's based */
static inline u64 vn_rw_nlb(const struct vn_req *req)
{
	return le16_to_cpu(req->cmd.rw.length) + 1ULL;
}

static inline bool vn_rw_fua(const struct vn_req *req)
{
	return req->cmd.rw.control & cpu_to_le16(NVME_RW_FUA);
}

/**
 * vn_check_range - does a range of blocks lie in a namespace?
 * @ns: namespace
 * @slba: its first block
 * @nlb: number of blocks
 *
 * Return: NVMe status.
 */
static inline u16 vn_check_range(const struct vn_ns *ns, u64 slba, u64 nlb)
{
	if (slba > ns->nlb || nlb > ns->nlb - slba)
		return NVME_SC_LBA_RANGE | NVME_STATUS_DNR;
	return NVME_SC_SUCCESS;
}

/**
 * vn_check_writable - may a namespace be written?
 * @ns: namespace
 *
 * Return: NVMe status.
 */
static inline u16 vn_check_writable(const struct vn_ns *ns)
{
	return ns->rdonly ? NVME_SC_NS_WRITE_PROTECTED | NVME_STATUS_DNR :
			    NVME_SC_SUCCESS;
}

/* Without a volatile write cache, every Write is one with FUA. */
static inline void vn_req_write_through(struct vn_req *req)
{
	if (req->sq->ctrl->write_through)
		req->cmd.rw.control |= cpu_to_le16(NVME_RW_FUA);
}

#endif /* _VN_NVM_H */
