/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a program in the machine tells the plugin when to count: a NOP with a
 * displacement that no compiler emits.
 */
#ifndef MARK_H
#define MARK_H

#define MARK_START	0x76636f31
#define MARK_STOP	0x76636f30

/* nopl value(%rax) */
#define MARK_BYTES(value)						\
	0x0f, 0x1f, 0x80, (value) & 0xff, (value) >> 8 & 0xff,		\
	(value) >> 16 & 0xff, (value) >> 24 & 0xff

#define MARK(value) __asm__ volatile("nopl %c0(%%rax)" : : "i"(value) : "memory")

#endif /* MARK_H */
