/* SPDX-License-Identifier: GPL-2.0 */
/*
 * NVMe's wire formats, under the kernel's names (Base 2.0, 3.3.3.1, 4.1.2, 5; NVM
 * Command Set 1.0, 3.2): only what the module uses.
 */
#ifndef USER_NVME_H
#define USER_NVME_H

#define NVME_NSID_ALL	0xffffffff

enum {
	nvme_cmd_flush		= 0x00,
	nvme_cmd_write		= 0x01,
	nvme_cmd_read		= 0x02,
	nvme_cmd_compare	= 0x05,
	nvme_cmd_write_zeroes	= 0x08,
	nvme_cmd_dsm		= 0x09,
	nvme_cmd_verify		= 0x0c,
};

/* Flags of a command: FUSE, PSDT */
enum {
	NVME_CMD_FUSE_FIRST	= 1 << 0,
	NVME_CMD_FUSE_SECOND	= 1 << 1,
	NVME_CMD_SGL_ALL	= 3 << 6,
};

enum {
	NVME_SGL_FMT_DATA_DESC		= 0x0,
	NVME_SGL_FMT_SEG_DESC		= 0x2,
	NVME_SGL_FMT_LAST_SEG_DESC	= 0x3,
};

enum {
	NVME_RW_FUA	= 1 << 14,
	NVME_WZ_DEAC	= 1 << 9,
	NVME_DSMGMT_AD	= 1 << 2,
};

enum {
	NVME_SC_SUCCESS			= 0x0,
	NVME_SC_INVALID_OPCODE		= 0x1,
	NVME_SC_INVALID_FIELD		= 0x2,
	NVME_SC_DATA_XFER_ERROR		= 0x4,
	NVME_SC_INTERNAL		= 0x6,
	NVME_SC_ABORT_QUEUE		= 0x8,
	NVME_SC_INVALID_NS		= 0xb,
	NVME_SC_SGL_INVALID_LAST	= 0xd,
	NVME_SC_SGL_INVALID_COUNT	= 0xe,
	NVME_SC_SGL_INVALID_DATA	= 0xf,
	NVME_SC_SGL_INVALID_TYPE	= 0x11,
	NVME_SC_PRP_INVALID_OFFSET	= 0x13,
	NVME_SC_NS_WRITE_PROTECTED	= 0x20,
	NVME_SC_LBA_RANGE		= 0x80,
	NVME_SC_CAP_EXCEEDED		= 0x81,
	NVME_SC_RESERVATION_CONFLICT	= 0x83,
	NVME_SC_INVALID_FORMAT		= 0x10a,
	NVME_SC_CMD_SIZE_LIM_EXCEEDED	= 0x183,
	NVME_SC_WRITE_FAULT		= 0x280,
	NVME_SC_READ_ERROR		= 0x281,
	NVME_SC_COMPARE_FAILED		= 0x285,
	NVME_STATUS_DNR			= 0x4000,
};

struct nvme_sgl_desc {
	__le64	addr;
	__le32	length;
	__u8	rsvd[3];
	__u8	type;
};

union nvme_data_ptr {
	struct {
		__le64	prp1;
		__le64	prp2;
	};
	struct nvme_sgl_desc	sgl;
};

struct nvme_common_command {
	__u8			opcode;
	__u8			flags;
	__u16			command_id;
	__le32			nsid;
	__le32			cdw2[2];
	__le64			metadata;
	union nvme_data_ptr	dptr;
	__le32			cdw10[6];
};

struct nvme_rw_command {
	__u8			opcode;
	__u8			flags;
	__u16			command_id;
	__le32			nsid;
	__le32			cdw2[2];
	__le64			metadata;
	union nvme_data_ptr	dptr;
	__le64			slba;
	__le16			length;
	__le16			control;
	__le32			cdw13[3];
};

struct nvme_write_zeroes_cmd {
	__u8			opcode;
	__u8			flags;
	__u16			command_id;
	__le32			nsid;
	__le32			cdw2[2];
	__le64			metadata;
	union nvme_data_ptr	dptr;
	__le64			slba;
	__le16			length;
	__le16			control;
	__le32			cdw13[3];
};

struct nvme_dsm_cmd {
	__u8			opcode;
	__u8			flags;
	__u16			command_id;
	__le32			nsid;
	__le32			cdw2[2];
	__le64			metadata;
	union nvme_data_ptr	dptr;
	__le32			nr;
	__le32			attributes;
	__le32			cdw12[4];
};

struct nvme_dsm_range {
	__le32	cattr;
	__le32	nlb;
	__le64	slba;
};

struct nvme_command {
	union {
		struct nvme_common_command	common;
		struct nvme_rw_command		rw;
		struct nvme_write_zeroes_cmd	write_zeroes;
		struct nvme_dsm_cmd		dsm;
	};
};

static_assert(sizeof(struct nvme_command) == 64, "an SQE");
static_assert(sizeof(struct nvme_sgl_desc) == 16, "a descriptor");
static_assert(sizeof(struct nvme_dsm_range) == 16, "a range");

#endif /* USER_NVME_H */
