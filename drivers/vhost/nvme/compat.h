/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VN_COMPAT_H
#define _VN_COMPAT_H

/*
 * Differences between the kernels that the module builds for, Linux 6.12 and
 * later. Nothing else in the module looks at LINUX_VERSION_CODE or HAVE_*.
 */

#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/sched/vhost_task.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "vhost_nvme needs Linux 6.12 or later"
#endif

#if !IS_ENABLED(CONFIG_VHOST_TASK)
#error "vhost_nvme needs a kernel with CONFIG_VHOST_TASK; CONFIG_VHOST_NET selects it"
#endif

/*
 * vhost_task_create() returned NULL for every failure before Linux 6.14 and
 * those 6.12.y stable releases that took over its change to ERR_PTR().
 */
static inline struct vhost_task *vn_task_create(bool (*fn)(void *arg),
						void (*killed)(void *arg),
						void *arg, const char *name)
{
	struct vhost_task *task = vhost_task_create(fn, killed, arg, name);

	return task ? task : ERR_PTR(-ENOMEM);
}

/* hrtimer_setup() is of Linux 6.13; hrtimer_init() ended with 6.15. */
static inline void vn_hrtimer_setup(struct hrtimer *timer,
				    enum hrtimer_restart (*fn)(struct hrtimer *))
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	timer->function = fn;
#else
	hrtimer_setup(timer, fn, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
#endif
}

/* With lazy preemption, what says that another task waits is not need_resched(). */
static inline bool vn_should_yield(void)
{
#ifdef TIF_NEED_RESCHED_LAZY
	if (test_thread_flag(TIF_NEED_RESCHED_LAZY))
		return true;
#endif
	return need_resched();
}

#endif /* _VN_COMPAT_H */
