/* SPDX-License-Identifier: GPL-2.0 */
/* Cgroups (version 2) of the test's own */
#ifndef CG_H
#define CG_H

#include <stddef.h>

/*
 * Make a cgroup that has these controllers, as "+io +pids"; its directory is
 * stored in @dir. 0 or -errno; -ENOENT if the kernel lacks one of them.
 */
int cg_make(char *dir, size_t size, const char *controllers);

/* This process, with all of its threads, moves there; NULL: to the root. */
int cg_enter(const char *dir);

/* Write to one of its files; NULL: of the root's. 0 or -errno */
int cg_set(const char *dir, const char *file, const char *text);

/*
 * The number behind @key, which may end in '=', in the line of one of its files
 * that begins with @line, or in any (""); -1 if there is none.
 */
long cg_get(const char *dir, const char *file, const char *line,
	    const char *key);

/* Leave it and remove it. */
void cg_remove(const char *dir);

#endif /* CG_H */
