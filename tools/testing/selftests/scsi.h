/* SPDX-License-Identifier: GPL-2.0 */
/* A disk of scsi_debug */
#ifndef SCSI_H
#define SCSI_H

#include <stddef.h>

/* Its device node goes to @path; -ENODEV if this kernel has none. */
int scsi_start(char *path, size_t len);

/* The disk goes, and with it what scsi_delay() has set. */
void scsi_stop(void);

/* How long a command takes; 0 for the driver's default, a tick */
int scsi_delay(unsigned int ns);

#endif /* SCSI_H */
