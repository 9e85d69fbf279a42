// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * count - a TCG plugin that counts the instructions which the emulated
 * machine executes while a program in it asks for it (mark.h)
 *
 *	-plugin count.so,out=FILE
 *
 * Counts are kept per translation block, CPU and "call site": the block of a
 * kernel module that the CPU was in last. So what the kernel does on behalf of
 * a module can be told apart by where the module called it, without unwinding
 * any stack. FILE has, in text:
 *
 *	B id address sizes kind		a block: the sizes of its instructions;
 *					kind: "ret" if a return ends it, "again"
 *					if it repeats a string instruction, "-"
 *	S id callee			a call site: the block it first led to
 *	C cpu site block count		cpu 0: the one that started the window;
 *					site 0: none
 *	E				end of one window
 *
 * A repeated string instruction (REP MOVS ...) is one instruction, as processors
 * count it; what it does after the first time is in a block "again".
 */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include <qemu-plugin.h>

#include "mark.h"

#define MAX_CPUS	8
#define KERNEL		0x8000000000000000ULL
/* MODULES_VADDR of a kernel with CONFIG_RANDOMIZE_BASE, to MODULES_END */
#define MODULES		0xffffffffc0000000ULL
#define MODULES_END	0xffffffffff000000ULL

struct block;

struct count {
	struct count		*next;
	const struct block	*site;
	unsigned int		cpu;
	uint64_t		n;
};

struct block {
	uint64_t		pc;
	uint64_t		last;		/* address of the last instruction */
	const struct block	*callee;	/* of a call site */
	struct count		*counts;
	unsigned int		id;
	bool			module;
	bool			rep;		/* only a repeated string instruction */
	bool			ret;
	bool			known;		/* the file has it */
	struct block		*again;		/* of a rep */
	char			*sizes;
};

/* Of as many CPUs as one window has seen, known by the kernel's GS base */
struct cpu {
	uint64_t		gs;
	struct block		*site;
	const struct block	*previous;
};

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static FILE *out;
static struct qemu_plugin_register *gs_base, *kernel_gs_base;
static struct cpu cpus[MAX_CPUS];
static unsigned int nr_cpus;
static GPtrArray *touched;	/* blocks with counts */
static unsigned int nr_blocks;
static bool active;

static uint64_t read_register(struct qemu_plugin_register *handle)
{
	static GByteArray *value;
	uint64_t n = 0;

	if (!value)
		value = g_byte_array_new();
	g_byte_array_set_size(value, 0);
	qemu_plugin_read_register(handle, value);
	memcpy(&n, value->data, MIN(value->len, sizeof(n)));
	return n;
}

/*
 * Which CPU this is. Where CPUs take turns in one thread, QEMU 10.0 tells
 * callbacks the CPU that translated the block, not the one that runs it.
 */
static unsigned int this_cpu(void)
{
	uint64_t gs = read_register(gs_base);
	unsigned int i;

	if (gs < KERNEL)
		gs = read_register(kernel_gs_base);
	for (i = 0; i < nr_cpus; i++)
		if (cpus[i].gs == gs)
			return i;
	g_assert(nr_cpus < MAX_CPUS);
	cpus[nr_cpus].gs = gs;
	return nr_cpus++;
}

static void count(struct block *b)
{
	unsigned int index = this_cpu();
	struct cpu *cpu = &cpus[index];
	const struct block *site = b->module || b->pc < KERNEL ? NULL : cpu->site;
	struct count *c;

	if (b->rep && cpu->previous && cpu->previous->last == b->pc)
		b = b->again;
	if (cpu->site && cpu->previous == cpu->site && !cpu->site->callee)
		cpu->site->callee = b;
	cpu->previous = b;
	if (b->module)
		cpu->site = b;

	for (c = b->counts; c; c = c->next)
		if (c->cpu == index && c->site == site)
			break;
	if (!c) {
		if (!b->counts)
			g_ptr_array_add(touched, b);
		c = g_new0(struct count, 1);
		c->cpu = index;
		c->site = site;
		c->next = b->counts;
		b->counts = c;
	}
	c->n++;
}

static void block_exec(unsigned int index, void *arg)
{
	if (active)
		count(arg);
}

static void define(struct block *b)
{
	if (b->known)
		return;
	b->known = true;
	fprintf(out, "B %u %" PRIx64 " %s %s\n", b->id, b->pc, b->sizes,
		b->ret ? "ret" : b->rep && !b->again ? "again" : "-");
}

static void finish_block(gpointer data, gpointer arg)
{
	struct block *b = data;
	struct count *c;

	define(b);
	if (b->module && b->callee) {
		define((struct block *)b->callee);
		fprintf(out, "S %u %u\n", b->id, b->callee->id);
	}
	while ((c = b->counts)) {
		b->counts = c->next;
		fprintf(out, "C %u %u %u %" PRIu64 "\n", c->cpu,
			c->site ? c->site->id : 0, b->id, c->n);
		g_free(c);
	}
}

static void mark_start(unsigned int index, void *arg)
{
	memset(cpus, 0, sizeof(cpus));
	nr_cpus = 0;
	this_cpu();
	active = true;
}

static void mark_stop(unsigned int index, void *arg)
{
	active = false;
	g_ptr_array_foreach(touched, finish_block, NULL);
	g_ptr_array_set_size(touched, 0);
	fprintf(out, "E\n");
	fflush(out);
}

static void translate_marks(struct qemu_plugin_tb *tb)
{
	static const uint8_t start[] = { MARK_BYTES(MARK_START) };
	static const uint8_t stop[] = { MARK_BYTES(MARK_STOP) };
	uint8_t bytes[sizeof(start)];
	size_t i;

	for (i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (qemu_plugin_insn_size(insn) != sizeof(bytes))
			continue;
		qemu_plugin_insn_data(insn, bytes, sizeof(bytes));
		if (!memcmp(bytes, start, sizeof(bytes)))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, mark_start,
				QEMU_PLUGIN_CB_R_REGS, NULL);
		else if (!memcmp(bytes, stop, sizeof(bytes)))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, mark_stop,
				QEMU_PLUGIN_CB_NO_REGS, NULL);
	}
}

/* F3 or F2, perhaps REX, then MOVS, CMPS, STOS, LODS or SCAS */
static bool is_rep(const uint8_t *bytes, size_t n)
{
	size_t i = 1;

	if (bytes[0] != 0xf3 && bytes[0] != 0xf2)
		return false;
	if (i < n && (bytes[i] & 0xf0) == 0x40)
		i++;
	return i + 1 == n && bytes[i] >= 0xa4 && bytes[i] <= 0xaf &&
	       bytes[i] != 0xa8 && bytes[i] != 0xa9;
}

static struct block *new_block(struct qemu_plugin_tb *tb)
{
	struct block *b = g_new0(struct block, 1);
	size_t i, n = qemu_plugin_tb_n_insns(tb), size = 0;
	GString *sizes = g_string_new(NULL);
	struct qemu_plugin_insn *insn = NULL;
	uint8_t bytes[16];

	b->pc = qemu_plugin_tb_vaddr(tb);
	b->id = ++nr_blocks;
	b->module = b->pc >= MODULES && b->pc < MODULES_END;
	for (i = 0; i < n; i++) {
		insn = qemu_plugin_tb_get_insn(tb, i);
		size = qemu_plugin_insn_size(insn);
		/* No instruction is longer than 15 bytes. */
		g_string_append_printf(sizes, "%x", (unsigned int)size & 15);
	}
	b->sizes = g_string_free(sizes, FALSE);
	b->last = qemu_plugin_insn_vaddr(insn);
	qemu_plugin_insn_data(insn, bytes, sizeof(bytes));
	b->rep = n == 1 && is_rep(bytes, size);
	b->ret = bytes[0] == 0xc3;
	if (b->rep) {
		b->again = g_memdup2(b, sizeof(*b));
		b->again->id = ++nr_blocks;
	}
	return b;
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct block *b = new_block(tb);

	if (b->pc < KERNEL)
		translate_marks(tb);
	qemu_plugin_register_vcpu_tb_exec_cb(tb, block_exec,
					     QEMU_PLUGIN_CB_R_REGS, b);
}

static void cpu_init(qemu_plugin_id_t id, unsigned int index)
{
	GArray *all = qemu_plugin_get_registers();
	qemu_plugin_reg_descriptor *r;
	unsigned int i;

	for (i = 0; i < all->len; i++) {
		r = &g_array_index(all, qemu_plugin_reg_descriptor, i);
		if (!strcmp(r->name, "gs_base"))
			gs_base = r->handle;
		else if (!strcmp(r->name, "k_gs_base"))
			kernel_gs_base = r->handle;
	}
	g_assert(gs_base && kernel_gs_base);
	g_array_free(all, true);
}

QEMU_PLUGIN_EXPORT
int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
			char **argv)
{
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fprintf(stderr, "count: out=FILE is missing\n");
		return -1;
	}
	out = fopen(argv[0] + 4, "w");
	if (!out) {
		perror(argv[0] + 4);
		return -1;
	}
	touched = g_ptr_array_new();
	qemu_plugin_register_vcpu_init_cb(id, cpu_init);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return 0;
}
