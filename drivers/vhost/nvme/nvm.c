// SPDX-License-Identifier: GPL-2.0
/*
 * The NVM command set. Every command is a prep (validate, copy what the guest
 * could change) and an issue or several steps (act), in one table.
 */

#include <linux/blkdev.h>

#include "nvm.h"

/*
 * FUSE and PSDT of the command's flags: no fused commands; PRPs or an SGL, with
 * metadata, which no namespace has, in a buffer or another SGL.
 */
static bool vn_flags_bad(u8 flags)
{
	return flags & (NVME_CMD_FUSE_FIRST | NVME_CMD_FUSE_SECOND) ||
	       (flags & NVME_CMD_SGL_ALL) == NVME_CMD_SGL_ALL;
}

/**
 * vn_blk_status - what the guest hears of an error of the block layer
 * @ns: where it happened
 * @status: the error, or BLK_STS_OK
 * @read: the disk was being read
 *
 * NVM 1.0, 2.2 and Base 2.0, 3.3.3.2.1; DNR where trying again cannot help. That
 * the disk has gone is no path related error: the guest must not look for another
 * path to it.
 *
 * Context: any.
 * Return: NVMe status.
 */
u16 vn_blk_status(struct vn_ns *ns, blk_status_t status, bool read)
{
	if (status && test_bit(GD_DEAD, &ns->bdev->bd_disk->state)) {
		vn_event_ns_gone(ns);
		return NVME_SC_INTERNAL | NVME_STATUS_DNR;
	}
	switch (status) {
	case BLK_STS_OK:
		return NVME_SC_SUCCESS;
	case BLK_STS_NOSPC:
		return NVME_SC_CAP_EXCEEDED | NVME_STATUS_DNR;
	case BLK_STS_TARGET:
	case BLK_STS_INVAL:
		return NVME_SC_INTERNAL | NVME_STATUS_DNR;
	case BLK_STS_NOTSUPP:
		return NVME_SC_INVALID_OPCODE | NVME_STATUS_DNR;
	case BLK_STS_RESV_CONFLICT:
		return NVME_SC_RESERVATION_CONFLICT | NVME_STATUS_DNR;
	case BLK_STS_MEDIUM:
	case BLK_STS_PROTECTION:
		return (read ? NVME_SC_READ_ERROR : NVME_SC_WRITE_FAULT) |
		       NVME_STATUS_DNR;
	case BLK_STS_IOERR:
		return read ? NVME_SC_READ_ERROR : NVME_SC_WRITE_FAULT;
	default:
		return NVME_SC_INTERNAL;
	}
}

/**
 * vn_no_ns - why there is no such namespace
 * @nsid: which
 *
 * Base 2.0, 3.2.1.3 and 3.2.1.4: the number is invalid, or one that is not used.
 *
 * Return: NVMe status.
 */
u16 vn_no_ns(u32 nsid)
{
	if (!nsid || nsid > VN_MAX_NSID)
		return NVME_SC_INVALID_NS | NVME_STATUS_DNR;
	return NVME_SC_INVALID_FIELD | NVME_STATUS_DNR;
}

static const struct vn_op vn_ops[256] = {
	[nvme_cmd_flush] = {
		.prep		= vn_flush_prep,
		.issue		= vn_bio_issue,
		.any_ns		= true,
	},
	[nvme_cmd_write] = {
		.prep		= vn_rw_prep,
		.issue		= vn_bio_issue,
	},
	[nvme_cmd_read] = {
		.prep		= vn_rw_prep,
		.issue		= vn_bio_issue,
	},
	[nvme_cmd_compare] = {
		.prep		= vn_compare_prep,
		.step		= vn_compare_step,
		.blocking	= true,
	},
	[nvme_cmd_write_zeroes] = {
		.prep		= vn_write_zeroes_prep,
		.step		= vn_write_zeroes_step,
		.blocking	= true,
	},
	[nvme_cmd_dsm] = {
		.prep		= vn_dsm_prep,
		.step		= vn_dsm_step,
		.blocking	= true,
	},
	[nvme_cmd_verify] = {
		.prep		= vn_verify_prep,
		.step		= vn_compare_step,
		.blocking	= true,
	},
	[VN_CMD_COPY] = {
		.prep		= vn_copy_prep,
		.step		= vn_copy_step,
		.end		= vn_copy_end,
		.blocking	= true,
	},
};

/**
 * vn_nvm_opcodes - which commands there are
 * @opcodes: bit mask to fill
 */
void vn_nvm_opcodes(u64 opcodes[4])
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vn_ops); i++)
		if (vn_ops[i].prep)
			opcodes[i / 64] |= BIT_ULL(i % 64);
}

/**
 * vn_nvm_prep - decode a command and check everything about it
 * @req: with its cmd; everything else is set here
 *
 * Context: the worker; may sleep and fault on guest memory, does no I/O.
 * Return: NVMe status, for @req->status.
 */
u16 vn_nvm_prep(struct vn_req *req)
{
	const struct vn_op *op = &vn_ops[req->cmd.common.opcode];
	u32 nsid = le32_to_cpu(req->cmd.common.nsid);

	req->ns = NULL;
	req->result = 0;
	req->op = op;
	req->bv = NULL;
	req->nr_bv = 0;
	req->passes = false;
	req->bounce = NULL;
	req->nr_bounce = 0;
	req->len = 0;
	req->data = NULL;

	if (!op->prep)
		return NVME_SC_INVALID_OPCODE | NVME_STATUS_DNR;
	if (unlikely(req->cmd.common.flags) &&
	    vn_flags_bad(req->cmd.common.flags))
		return NVME_SC_INVALID_FIELD | NVME_STATUS_DNR;
	if (!op->any_ns) {
		req->ns = vn_ns_get(req->sq->ctrl, nsid);
		if (!req->ns)
			return vn_no_ns(nsid);
	}
	return op->prep(req);
}

/*
 * Submitting does not wait: the disk says so if it would, or is only memory.
 * Looked at for each command, since it changes with a device mapper table.
 */
static bool vn_ns_is_prompt(const struct vn_ns *ns)
{
	return bdev_nowait(ns->bdev) || bdev_synchronous(ns->bdev);
}

/**
 * vn_nvm_issue - execute a command that vn_nvm_prep() saw
 * @req: with its status; if that is not success, it completes at once
 *
 * Context: the worker, under a plug. @req may be gone on return.
 */
void vn_nvm_issue(struct vn_req *req)
{
	if (req->status) {
		vn_data_unmap(req, false);
		vn_req_complete(req);
	} else if (req->op->blocking || !vn_ns_is_prompt(req->ns)) {
		vn_req_defer(req);
	} else if (unlikely(vn_turns_crowded(req->ns->turns))) {
		vn_req_crowded(req);
	} else {
		req->op->issue(req);
	}
}
